using BenchmarkDotNet.Running;
using TinyMoE.Benchmarks;

// A command of our own, or help; anything else goes to BenchmarkDotNet.
if (args is [] || Commands.Knows(args[0]))
    return Commands.Run(args);
BenchmarkSwitcher.FromAssembly(typeof(Commands).Assembly).Run(args);
return 0;
