using System.Diagnostics;
using TinyMoE.Tests.Cli;

namespace TinyMoE.Tests.Web;

/// <summary><c>tinymoe serve</c> as a program: what it prints, how it ends.</summary>
[Collection(ServedCollection.Name)]
public sealed class ServeCommandTests(ServedRun served)
{
    private static string Program => $"dotnet {Path.Combine(AppContext.BaseDirectory, "tinymoe.dll")}";

    [Theory]
    [InlineData("TERM", 143)]
    [InlineData("INT", 130)]
    public void Signal_EndsIt_WhileItAnswers(string signal, int exitCode)
    {
        if (!OperatingSystem.IsLinux())
            return;
        (int code, string text) = Shell($$"""
            cd {{served.Folder.Root}}; : >told-{{signal}}
            env --default-signal={{signal}} {{Program}} serve --run run --port 0 --threads 1 >told-{{signal}} 2>&1 & p=$!
            until grep -q ' at ' told-{{signal}} || ! kill -0 $p 2>/dev/null; do sleep 0.05; done
            at=$(sed -n 's|.*127.0.0.1:\([0-9]*\)/v1.*|\1|p' told-{{signal}})
            exec 3<>/dev/tcp/127.0.0.1/$at
            body='{"prompt":"the","max_tokens":60000,"n":99,"stream":true}'
            printf 'POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
                ${#body} "$body" >&3
            head -c 600 <&3 >/dev/null; kill -{{signal}} $p
            cat <&3 | tail -c 300; wait $p; code=$?; cat told-{{signal}}; exit $code
            """);
        Assert.True(exitCode == code, $"{code}: {text}");
        Assert.Contains("server_stopping", text, StringComparison.Ordinal);
        Assert.Contains("data: [DONE]", text, StringComparison.Ordinal);
        Assert.Contains("16 slots, completions only, it has no chat template; Ctrl-C stops", text, StringComparison.Ordinal);
        Assert.DoesNotContain("tinymoe: ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void EndOfInput_EndsIt_AndItSaysWhereItWas()
    {
        CommandLine result = CommandLine.Run(
            new StringReader(""), ["serve", "--run", served.Run, "--port", "0", "--threads", "1", "--name", "cat", "--slots", "3"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.StartsWith("cat at http://127.0.0.1:", result.Output, StringComparison.Ordinal);
        Assert.Contains(": 3 slots, ", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void WhatCannotWork_IsOneLine()
    {
        AssertFails(1, "is taken by another program", "--port", $"{served.Server.Address.Port}");
        AssertFails(1, "a token is needed to listen there", "--listen", "0.0.0.0");
        AssertFails(1, "The token must have 8 or more characters", "--token", "short");
        AssertFails(1, "is no origin", "--allow-origin", "example.org");
        AssertFails(1, "The port is 65536", "--port", "65536");
        AssertFails(2, "--listen needs an address", "--listen", "example.org");
        AssertFails(2, "--port needs a whole number, at least 0", "--port", "-1");
        AssertFails(1, "nothing.jinja", "--template", "nothing.jinja");
        AssertFails(1, "there can be 1 to 1024", "--slots", "5000");
    }

    private void AssertFails(int code, string expected, params string[] args)
    {
        CommandLine result = CommandLine.Run(new StringReader(""), ["serve", "--run", served.Run, "--threads", "1", .. args]);
        Assert.Equal(code, result.ExitCode);
        Assert.Contains(expected, result.ErrorLines[0], StringComparison.Ordinal);
        Assert.True(code == 2 || result.ErrorLines.Length == 1, result.Error);
    }

    private static (int Code, string Text) Shell(string script)
    {
        ProcessStartInfo start = new("/bin/bash", ["-c", script]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process shell = Process.Start(start)!;
        Task<string> error = shell.StandardError.ReadToEndAsync();
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return (shell.ExitCode, output + error.Result);
    }
}
