using BenchmarkDotNet.Running;
using TinyMoE.Benchmarks;

// `matmul [--json]` compares with OpenBLAS in one run; anything else goes to BenchmarkDotNet.
if (args is ["matmul", ..])
    Matmul.Run(json: args.Contains("--json"));
else
    BenchmarkSwitcher.FromAssembly(typeof(Matmul).Assembly).Run(args);
