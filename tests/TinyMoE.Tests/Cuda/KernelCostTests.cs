using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>No kernel moves much more than it must, none has bank conflicts, none keeps
/// arrays in local memory, and those for tensor cores multiply on them.</summary>
[Collection(CudaCollection.Name)]
public sealed class KernelCostTests(ITestOutputHelper output)
{
    [EmulatedFact]
    public void EveryKernel_AtTypicalSize_StaysWithinItsBounds()
    {
        List<string> wrong = [];
        IReadOnlyList<KernelCost> costs = KernelCosts.Measure();
        IEnumerable<string> kernels = Ptx.All.SelectMany(ptx => ptx.Kernels()).Select(kernel => kernel.Name).Order(StringComparer.Ordinal);
        Assert.Equal(kernels, costs.Select(cost => cost.Kernel).Distinct());
        foreach (KernelCost cost in costs)
        {
            string line = $"{cost.Kernel,-34} {cost.Case,-50} traffic {cost.Traffic:F3}  sectors {cost.Coalescing:F2}  " +
                $"conflicts {cost.BankConflicts}  local {cost.LocalBytes}  instructions {cost.ThreadInstructions:N0}  " +
                $"on tensor cores {cost.TensorShare:P0}";
            output.WriteLine(line);
            if (cost.Traffic > KernelCosts.MostTrafficOf(cost.Kernel) || cost.BankConflicts > 0 || cost.LocalBytes > 0
                || cost.TensorShare < KernelCosts.LeastTensorShareOf(cost.Kernel))
                wrong.Add(line);
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }
}
