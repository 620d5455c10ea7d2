using System.Reflection;
using ManagedCuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// Our subset of ManagedCuda has nothing that ManagedCuda has not, under the same names with the same parameters, so that
/// CudaBindings=ManagedCuda compiles. Its packages are not here; tests/ManagedCuda.Stub has their signatures, looked up by hand, and
/// tests/TinyMoE.Cuda.OnStub, which is built with this project, compiles the backend against them.
/// </summary>
public sealed class BindingsTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    [Fact]
    public void Subset_HasNothingThatManagedCudaHasNot() =>
        Assert.Empty(Signatures(typeof(DriverAPINativeMethods).Assembly).Except(Signatures(Stub())));

    [Fact]
    public void Signatures_TellParametersAndValuesApart()
    {
        string[] found = [.. Signatures(Stub())];
        Assert.Contains("ManagedCuda.BasicTypes.CUResult.ErrorOutOfMemory = 2", found);
        Assert.Contains(
            "ManagedCuda.DriverAPINativeMethods+Events.cuEventElapsedTime(System.Single&, ManagedCuda.BasicTypes.CUevent, "
            + "ManagedCuda.BasicTypes.CUevent) -> ManagedCuda.BasicTypes.CUResult", found);
        Assert.Contains("ManagedCuda.BasicTypes.CUdevice.Pointer: System.Int32", found);
    }

    private static IEnumerable<string> Signatures(Assembly assembly) => assembly.GetExportedTypes().SelectMany(Signatures);

    private static IEnumerable<string> Signatures(Type type)
    {
        yield return $"{type.FullName}: {type.BaseType}";
        foreach (MemberInfo member in type.GetMembers(Declared))
        {
            string name = $"{type.FullName}.{member.Name}";
            switch (member)
            {
                case FieldInfo { IsLiteral: true } constant:
                    yield return $"{name} = {constant.GetRawConstantValue()}";
                    break;
                case FieldInfo field:
                    yield return $"{name}: {field.FieldType}";
                    break;
                case MethodInfo method:
                    yield return $"{name}({Parameters(method)}) -> {method.ReturnType}";
                    break;
                case ConstructorInfo constructor:
                    yield return $"{name}({Parameters(constructor)})";
                    break;
            }
        }
    }

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(p => p.ParameterType));

    private static Assembly Stub()
    {
        string folder = Path.GetFullPath(AppContext.BaseDirectory).TrimEnd(Path.DirectorySeparatorChar);
        string framework = Path.GetFileName(folder), configuration = Path.GetFileName(Path.GetDirectoryName(folder)!);
        return Assembly.LoadFrom(Path.Combine(
            FloorsTests.RepositoryRoot(), "tests", "ManagedCuda.Stub", "bin", configuration, framework, "ManagedCuda.Stub.dll"));
    }
}
