using TinyMoE.Configuration;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>One row of a budget: a kind of kernel in a step.</summary>
/// <param name="Kind">As in <see cref="KernelModel.Kinds"/>.</param>
/// <param name="Launches">Of our kernels.</param>
/// <param name="Products">Calls of cuBLAS.</param>
/// <param name="Gigaflops">10⁹ operations of products and attention.</param>
/// <param name="Gigabytes">10⁹ bytes that must be moved.</param>
/// <param name="Computing">Milliseconds of kernels that arithmetic bounds.</param>
/// <param name="Moving">Milliseconds of kernels that memory bounds.</param>
/// <param name="Starting">Milliseconds in which kernels begin and end.</param>
internal sealed record BudgetRow(
    string Kind, long Launches, long Products, double Gigaflops, double Gigabytes, double Computing, double Moving, double Starting)
{
    /// <summary>Predicted.</summary>
    public double Milliseconds => Computing + Moving + Starting;

    /// <summary>What takes most of it.</summary>
    public string BoundBy =>
        Computing >= Moving && Computing >= Starting ? "arithmetic" : Moving >= Starting ? "memory" : "launches";
}

/// <summary>What a training step takes on a card, on paper.</summary>
/// <param name="Rows">By kind.</param>
/// <param name="DeviceMilliseconds">Of all kernels and of what lies between them.</param>
/// <param name="HostMilliseconds">Of the host that issues them.</param>
/// <param name="Waits">How often the host waits.</param>
/// <param name="Tokens">Tokens per step.</param>
internal sealed record StepBudget(
    IReadOnlyList<BudgetRow> Rows, double DeviceMilliseconds, double HostMilliseconds, int Waits, long Tokens)
{
    /// <summary>The whole step: the longer of device and host, and the bubbles of the waits.</summary>
    public double Milliseconds => Math.Max(DeviceMilliseconds, HostMilliseconds) + Waits * Card.Bubble / 1e3;

    /// <summary>Tokens per second.</summary>
    public double TokensPerSecond => Tokens / Milliseconds * 1e3;

    /// <summary>The budget of a step of <paramref name="config"/> on <paramref name="card"/>, with rows shared out evenly.</summary>
    public static StepBudget Of(RunConfig config, Card card, BudgetMode mode) =>
        Of(StepCounts.Of(config, mode), config, card, mode);

    /// <summary>The same of kernels that were counted with the mode's products of experts.</summary>
    public static StepBudget Of(IReadOnlyList<CountedKernel> kernels, RunConfig config, Card card, BudgetMode mode)
    {
        bool waits = kernels.Any(kernel => kernel.IsOfExperts && !IsOwn(kernel, config, mode));
        Estimate[] all = [.. kernels.SelectMany(kernel => Estimate.AllOf(kernel, config, card, mode, waits))];
        List<BudgetRow> rows = [];
        foreach (string kind in KernelModel.Kinds)
        {
            Estimate[] of = [.. all.Where(estimate => estimate.Kind == kind)];
            if (of.Length > 0)
                rows.Add(new BudgetRow(
                    kind, of.Sum(e => e.Launches), of.Sum(e => e.Products), of.Sum(e => e.Gigaflops), of.Sum(e => e.Gigabytes),
                    of.Sum(e => e.Computing) / 1e3, of.Sum(e => e.Moving) / 1e3, of.Sum(e => e.Ramps) / 1e3));
        }

        long operations = all.Sum(e => e.Launches + e.Products + e.Copies);
        bool isGraph = mode.Graph && !waits;
        double gap = isGraph ? Card.GraphGap : Card.Gap, host = isGraph ? Card.HostProduct : all.Sum(e => e.Host);
        long plans = kernels.Where(kernel => kernel.Kernel is "Assign" or "RouteForward").Sum(kernel => kernel.Profile.Calls);
        return new StepBudget(
            rows, rows.Sum(row => row.Milliseconds) + operations * gap / 1e3, host / 1e3,
            1 + (waits ? (int)plans : 0), // for the losses, and for the rows of each expert
            (long)config.Train.Batch * config.Model.Context);
    }

    /// <summary>Whether products of experts are by a kernel of our own.</summary>
    private static bool IsOwn(CountedKernel kernel, RunConfig config, BudgetMode mode) =>
        kernel.IsOfExperts && mode.IsOwn(Math.Max(1, config.Moe.Experts), kernel.Sizes[0], kernel.Sizes[1], kernel.Sizes[2]);

    /// <summary>What one kernel takes, in microseconds, of which one of Computing and Moving is 0.</summary>
    private sealed record Estimate(
        string Kind, long Launches, long Products, long Copies, double Gigaflops, double Gigabytes, double Computing, double Moving,
        double Ramps, double Host)
    {
        /// <summary>The kernel, and the passes over its operands and its result that cuBLAS leaves to us.</summary>
        public static IEnumerable<Estimate> AllOf(CountedKernel kernel, RunConfig config, Card card, BudgetMode mode, bool waits)
        {
            yield return Of(kernel, config, card, mode, waits);
            if (!IsOwn(kernel, config, mode) && kernel.ValuesOfEpilogue > 0)
                yield return Pass(KernelModel.SwiGlu, kernel, kernel.ValuesOfEpilogue * mode.ActivationBytes, card);
            bool packs = kernel.IsOfExperts && mode.Experts == Arithmetic.Bfloat16 && mode.ActivationBytes == 4
                && !kernel.Kernel.EndsWith("Weight", StringComparison.Ordinal);
            if (packs)
                yield return Pass(KernelModel.Rest, kernel, 6.0 * kernel.Sizes[0] * kernel.Sizes[2], card);
        }

        private static Estimate Pass(string kind, CountedKernel kernel, double bytes, Card card)
        {
            long calls = kernel.Profile.Calls;
            return new Estimate(
                kind, calls, 0, 0, 0, calls * bytes / 1e9, 0, calls * bytes / (card.Copy * 1e6), calls * Card.Ramp,
                calls * Card.HostLaunch);
        }

        private static Estimate Of(CountedKernel kernel, RunConfig config, Card card, BudgetMode mode, bool waits)
        {
            double calls = kernel.Profile.Calls, bytes = kernel.Profile.Bytes, flops = kernel.Profile.ProductFlops;
            if (kernel.Model.IsOfActivations && mode.ActivationBytes == 2)
                bytes *= 0.5;
            (double arithmetic, long launches, long products, long copies, double host) = (0, kernel.Launches, 0, 0, 0);
            if (kernel.IsOfExperts)
                (arithmetic, launches, products, copies, host) = OfExperts(kernel, config, card, mode);
            else if (kernel.Kernel == "MatMul")
                (arithmetic, products, host) = OfProduct(kernel, card, mode);
            else if (flops > 0)
                arithmetic = calls * AttentionOf(kernel, card, mode);
            if (kernel.Kernel is "Fill" or "Write" or "Read")
                copies = kernel.Profile.Calls;
            if (!waits && kernel.Kernel is ("SwiGluForward" or "ClampedSwiGluForward") && mode.Grouped is not null)
                (launches, bytes) = (0, 0); // in the epilogue of the products
            double memory = bytes / (card.Copy * 1e6);
            double ramps = launches * Card.Ramp + products * Card.ProductRamp + copies * 2;
            bool isArithmetic = arithmetic > memory;
            return new Estimate(
                kernel.Model.Kind, launches, products, copies, flops / 1e9, bytes / 1e9, isArithmetic ? arithmetic : 0,
                isArithmetic ? 0 : memory, ramps, host + launches * Card.HostLaunch + copies * Card.HostLaunch);
        }

        /// <summary>"MatMul rows x columns x inner", with the batch before them where there is one.</summary>
        private static (double, long, double) OfProduct(CountedKernel kernel, Card card, BudgetMode mode)
        {
            long calls = kernel.Profile.Calls;
            int[] s = kernel.Sizes.Length == 4 ? kernel.Sizes : [1, .. kernel.Sizes];
            if (s.Length < 4)
                return (0, calls, calls * Card.HostProduct);
            return (calls * Efficiency.Dense(mode.Dense).Microseconds(card, mode.Dense, s[0], s[1], s[2], s[3]), calls,
                calls * Card.HostProduct);
        }

        private static (double, long, long, long, double) OfExperts(CountedKernel kernel, RunConfig config, Card card, BudgetMode mode)
        {
            long calls = kernel.Profile.Calls;
            bool isGradient = kernel.Kernel.EndsWith("Weight", StringComparison.Ordinal);
            int[] s = kernel.Sizes;
            double E = Math.Max(1, config.Moe.Experts), rows = s[0] / E; // of an expert
            // rows, columns and sum: forward (N, outputs, inputs), input (N, inputs, outputs), weight (outputs, inputs, N)
            (double m, double n, double k) = isGradient ? ((double)s[1], s[2], rows) : (rows, s[1], (double)s[2]);
            Arithmetic arithmetic = isGradient ? mode.ExpertGradients : mode.Experts;
            if (IsOwn(kernel, config, mode))
            {
                double large = E * Math.Ceiling(m / 128) * Math.Ceiling(n / 128); // with few of them it takes small tiles
                Efficiency efficiency = Efficiency.Own(arithmetic) with { Tile = large < 264 ? 64 : 128 };
                double own = efficiency.Microseconds(card, arithmetic, E, m, n, k);
                return (calls * own, calls * kernel.Model.OwnLaunches(s, (int)E), 0, 0, 0);
            }

            // in TF32 a grouped call multiplies in float32 where the inner size is no multiple of 4, as rows of experts seldom are
            Arithmetic grouped = isGradient && arithmetic == Arithmetic.Tf32 ? Arithmetic.Float32 : arithmetic;
            double together = Efficiency.Together(grouped).Microseconds(card, grouped, E, m, n, k);
            double each = E * (Efficiency.Dense(arithmetic).Microseconds(card, arithmetic, 1, m, n, k) + Card.ProductRamp);
            long work = (long)(m * n * k);
            bool loops = arithmetic == Arithmetic.Bfloat16 || mode.Grouped switch
            {
                GroupedProducts.Loop => true,
                GroupedProducts.Auto => !GroupedChoice.AreSmall(work, isTf32: arithmetic == Arithmetic.Tf32, isUneven: isGradient),
                null => Math.Max(each, E * Card.HostProductOfLoop) < together,
                _ => false,
            };
            return loops
                ? (calls * (each - E * Card.ProductRamp), 0, (long)(calls * E), 0, calls * E * Card.HostProductOfLoop)
                : (calls * together, 0, calls, calls, calls * Card.HostGrouped);
        }

        /// <summary>
        /// "AttentionForward BxTxHxD": a block per 64 queries. A block begins and ends once, worth one and a half tiles of keys; the
        /// backward takes 1.4 times the operations, as it multiplies some of them twice.
        /// </summary>
        private static double AttentionOf(CountedKernel kernel, Card card, BudgetMode mode)
        {
            (int B, int T, int H) = (kernel.Sizes[0], kernel.Sizes[1], kernel.Sizes[2]);
            Efficiency efficiency = Efficiency.Attention(mode.Attention);
            double tiles = Math.Ceiling(T / (double)efficiency.Tile), mean = (tiles + 1) / 2, blocks = B * H * tiles;
            double fill = mean / (mean + 1.5) * Math.Min(1, blocks / card.Multiprocessors);
            if (blocks < 2 * card.Multiprocessors)
                fill *= mean / tiles; // the longest of a single round decides
            bool isBackward = kernel.Kernel == "AttentionBackward";
            double work = kernel.Profile.ProductFlops / kernel.Profile.Calls * (isBackward ? 1.4 : 1);
            return work / (card.Rate(mode.Attention) * 1e6 * efficiency.Most * fill);
        }
    }
}
