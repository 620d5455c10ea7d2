using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe verify</c>: checks the files of a run.</summary>
internal sealed class VerifyCommand
{
    private const string Examples = """
        tinymoe verify --run runs/mixtral-tiny         are its checkpoints whole, and of one run?
        """;

    private readonly ModelOptions model = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        VerifyCommand verify = new();
        CommandWithExamples command = new(
            "verify", "Check the files of a run: checksums, contents, what belongs together.", Examples);
        verify.model.AddTo(command);
        command.Add(verify.json);
        command.SetAction(verify.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        VerifyReport report = Verifying.Run(model.Read(parsed));
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(report));
        else
            Write(output, report);
        return report.IsWhole ? Cli.Done : Cli.Failed;
    }

    private static void Write(TextWriter output, VerifyReport report)
    {
        foreach (CheckpointFinding checkpoint in report.Checkpoints)
        {
            string step = checkpoint.Step is { } known ? $" of step {known}" : "";
            string state = checkpoint.Problems.Count > 0 ? "damaged"
                : checkpoint.HasChecksums ? "whole" : "no checksums, being of an earlier version; its contents fit together";
            output.WriteLine($"{checkpoint.Folder}{step}: {state}");
            foreach (string problem in checkpoint.Problems)
                output.WriteLine($"  {problem}");
        }

        foreach (string problem in report.Problems)
            output.WriteLine(problem);
    }

    private static string ToJson(VerifyReport report) => new JsonObject
    {
        ["kind"] = "verify",
        ["whole"] = report.IsWhole,
        ["checkpoints"] = new JsonArray([.. report.Checkpoints.Select(checkpoint => (JsonNode?)new JsonObject
        {
            ["folder"] = checkpoint.Folder,
            ["step"] = checkpoint.Step,
            ["checksums"] = checkpoint.HasChecksums,
            ["problems"] = new JsonArray([.. checkpoint.Problems.Select(problem => (JsonNode?)problem)]),
        })]),
        ["problems"] = new JsonArray([.. report.Problems.Select(problem => (JsonNode?)problem)]),
    }.ToJsonString(JsonSerializerOptions.Default);
}
