using System.Reflection;
using TinyMoE.Cli;

namespace TinyMoE.Tests.Cli;

public sealed class FailuresTests
{
    public static TheoryData<Exception, string> OfTheSystem => new()
    {
        { new OutOfMemoryException(), "out of memory: " },
        { new InsufficientMemoryException(), "out of memory: " },
        { new TypeInitializationException("X", new OutOfMemoryException()), "out of memory: " },
        { new IOException("Too many open files : '/x'", 24), "too many open files: " },
        { new TypeInitializationException("X", new IOException("Too many open files", 24)), "too many open files: " },
        { new FileLoadException("x", new IOException("Too many open files", 24)), "too many open files: " },
        {
            new TargetInvocationException(new FileNotFoundException("gone", "A, Version=1.0.0.0")),
            "a part of the program cannot be loaded: gone"
        },
        { new ArgumentOutOfRangeException("value", "Specified file length was too large for the file system."), "a file grows beyond " },
    };

    [Theory]
    [MemberData(nameof(OfTheSystem))]
    public void Describe_OfALimit_SaysWhich(Exception e, string words)
    {
        string text = Failures.Describe(e);
        Assert.StartsWith(words, text, StringComparison.Ordinal);
        Assert.DoesNotContain("bug", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_OfABug_NamesItsType()
    {
        string text = Failures.Describe(new TargetInvocationException(new InvalidOperationException("no")));
        Assert.StartsWith("InvalidOperationException: no; this is a bug", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Describe_OfALongMessage_KeepsItsBeginningAndItsEnd()
    {
        string text = Failures.Describe(new TinyMoEException("what\n" + new string('x', 1_000_000) + " what to do"));
        Assert.InRange(text.Length, 100, 2000);
        Assert.StartsWith("what x", text, StringComparison.Ordinal);
        Assert.EndsWith(" what to do", text, StringComparison.Ordinal);
    }
}
