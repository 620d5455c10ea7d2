using System.Reflection;
using System.Text.RegularExpressions;
using PublicApiGenerator;
using TinyMoE.App;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.PublicApi;

/// <summary>
/// The public API of each library is what its snapshot beside this file says: whatever changes it is seen. A run with
/// TINYMOE_WRITE_SNAPSHOTS=1 writes the snapshots anew.
/// </summary>
public sealed partial class PublicApiTests
{
    private static readonly Assembly[] Libraries =
        [typeof(TinyMoEException).Assembly, typeof(CudaBackend).Assembly, typeof(Training).Assembly];

    [Theory]
    [InlineData("TinyMoE.Core")]
    [InlineData("TinyMoE.Cuda")]
    [InlineData("TinyMoE.App")]
    public void PublicApi_OfALibrary_IsItsSnapshot(string library)
    {
        string path = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "TinyMoE.Tests", "PublicApi", library + ".txt");
        string api = ApiOf(Libraries.Single(assembly => assembly.GetName().Name == library));
        if (Environment.GetEnvironmentVariable("TINYMOE_WRITE_SNAPSHOTS") == "1")
            File.WriteAllText(path, api);
        string difference = ApiDifference.Of(File.ReadAllText(path).ReplaceLineEndings("\n"), api);
        if (difference.Length > 0)
            Assert.Fail($"{library} differs from its snapshot; if that is meant, run with TINYMOE_WRITE_SNAPSHOTS=1.\n{difference}");
    }

    [Fact]
    public void Difference_NamesWhatWentAndWhatCame_WithItsType()
    {
        const string Before = "namespace N\n{\n    public class A\n    {\n        public int X;\n        public int Y;\n    }\n}\n";
        const string After =
            "namespace N\n{\n    public class A\n    {\n        public int X;\n        public long Y;\n    }\n    public class B { }\n}\n";
        Assert.Equal("", ApiDifference.Of(Before, Before));
        Assert.Equal(
            "- public class A: public int Y;\n+ public class A: public long Y;\n+ namespace N: public class B { }",
            ApiDifference.Of(Before, After));
    }

    /// <summary>The public types and members, without overrides: those are part of the API where they are declared.</summary>
    private static string ApiOf(Assembly assembly)
    {
        string all = assembly.GeneratePublicApi(new ApiGeneratorOptions { IncludeAssemblyAttributes = false });
        IEnumerable<string> declared = Constraint().Replace(all.ReplaceLineEndings("\n").TrimEnd(), " where ").Split('\n')
            .Where(line => !line.TrimStart().StartsWith("public override ", StringComparison.Ordinal));
        return string.Join('\n', declared) + "\n";
    }

    /// <summary>The generator writes a constraint on a line of its own.</summary>
    [GeneratedRegex(@"\n\s+where ")]
    private static partial Regex Constraint();
}
