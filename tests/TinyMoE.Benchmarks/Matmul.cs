using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using TinyMoE.Backends.Cpu;
using Floats = TinyMoE.Memory.View<float>;
using Ints = TinyMoE.Memory.View<int>;

namespace TinyMoE.Benchmarks;

/// <summary>
/// Matrix products against two peers in one run: the rate of the micro-kernel alone, which nothing built on it can pass, and OpenBLAS where
/// the system has it. The peers take turns and medians are compared, so that a busy machine slows both.
/// </summary>
internal static unsafe partial class Matmul
{
    private const int Rounds = 7;
    private const int RestMilliseconds = 150; // until the threads of the other stop spinning: OpenBLAS lets them for a tenth of a second
    private const double SecondsPerRound = 0.02;

    private delegate void Multiply(CpuBackend backend, Sizes sizes, Floats a, Floats b, Floats c, Ints offsets);

    /// <summary>Sizes of c = op(a)·op(b), or of every expert's product.</summary>
    private sealed record Sizes(string Name, int Rows, int Columns, int Inner, bool TransposeA, bool TransposeB, int E, Multiply Multiply)
    {
        public double Work => 2.0 * Rows * Columns * Inner;
    }

    /// <summary>Prints the table, or with <paramref name="json"/> one object a line.</summary>
    public static void Run(bool json)
    {
        using CpuBackend one = new(threads: 1), all = new();
        bool openBlas = NativeLibrary.TryLoad(OpenBlas, out _);
        if (!json)
        {
            Console.WriteLine($"{all.Name}; micro-kernel {one.Kernel.Rows}x{one.Kernel.Columns}, {MicroKernelRate(one.Kernel):F1} GFLOP/s; OpenBLAS {(openBlas ? "found" : "not found")}");
            Console.WriteLine($"{"GFLOP/s",-44} {"1 thread",9} {"of kernel",9} {"OpenBLAS",9} {"ratio",6} | {"all",9} {"OpenBLAS",9} {"ratio",6}");
        }

        foreach (Sizes sizes in Cases())
        {
            double kernel = MicroKernelRate(one.Kernel);
            var (single, singleBlas) = Measure(one, sizes, openBlas, threads: 1);
            var (full, fullBlas) = Measure(all, sizes, openBlas, Environment.ProcessorCount);
            Console.WriteLine(json
                ? JsonSerializer.Serialize(new { sizes.Name, sizes.Rows, sizes.Columns, sizes.Inner, sizes.E, kernel, single, singleBlas, full, fullBlas, threads = Environment.ProcessorCount })
                : string.Create(
                    CultureInfo.InvariantCulture,
                    $"{sizes.Name,-44} {single,9:F1} {single / kernel,9:P0} {singleBlas,9:F1} {single / singleBlas,6:F2} | {full,9:F1} {fullBlas,9:F1} {full / fullBlas,6:F2}"));
        }
    }

    private static IEnumerable<Sizes> Cases()
    {
        yield return Product("cube", 1024, 1024, 1024, false, false);
        yield return Product("cube NT", 512, 512, 512, false, true);
        yield return Product("attention projection", 2048, 128, 128, false, true);
        yield return Product("expert up", 2048, 256, 128, false, true);
        yield return Product("expert down", 2048, 128, 256, false, true);
        yield return Product("projection, backward input", 2048, 128, 128, false, false);
        yield return Product("projection, backward weight", 128, 128, 2048, true, false);
        yield return Product("router", 2048, 8, 128, false, true);
        yield return Product("router, backward input", 2048, 128, 8, false, false);
        yield return Product("router, backward weight", 8, 128, 2048, true, false);
        yield return Product("lm_head", 2048, 65, 128, false, true);
        yield return Product("lm_head, backward weight", 65, 128, 2048, true, false);
        yield return Product("generation", 1, 512, 128, false, true);
        yield return Product("generation, wide", 1, 4096, 1024, false, true);
        const int E = 8, N = 512, Inputs = 128, Outputs = 512;
        yield return new("grouped", N, Outputs, Inputs, false, true, E, (backend, _, x, w, y, offsets) => backend.GroupedMatMul(x, w, offsets, E, N, Inputs, Outputs, y));
        yield return new("grouped, backward input", N, Inputs, Outputs, false, false, E, (backend, _, dy, w, dx, offsets) => backend.GroupedMatMulBackwardInput(dy, w, offsets, E, N, Inputs, Outputs, dx));
        yield return new("grouped, backward weight", Outputs, Inputs, N, true, false, E, (backend, _, dy, x, dw, offsets) => backend.GroupedMatMulBackwardWeight(dy, x, offsets, E, N, Inputs, Outputs, dw));
    }

    private static Sizes Product(string name, int rows, int columns, int inner, bool transposeA, bool transposeB) => new(
        $"{name} {rows}x{columns}x{inner} {(transposeA ? "T" : "N")}{(transposeB ? "T" : "N")}", rows, columns, inner, transposeA, transposeB, E: 1,
        (backend, s, a, b, c, _) => backend.MatMul(a, s.TransposeA, b, s.TransposeB, 1, s.Rows, s.Columns, s.Inner, c));

    /// <summary>GFLOP/s of TinyMoE and of OpenBLAS, which is called once for each expert.</summary>
    private static (double Ours, double Blas) Measure(CpuBackend backend, Sizes s, bool openBlas, int threads)
    {
        Floats a = Random(backend, s.Rows * s.Inner), b = Random(backend, s.E * s.Inner * s.Columns), c = Random(backend, s.E * s.Rows * s.Columns);
        Ints offsets = backend.Pool.Rent((s.E + 1) * sizeof(int)).As<int>(s.E + 1);
        bool raggedInner = s.TransposeA && s.E > 1;
        int ragged = raggedInner ? s.Inner : s.Rows;
        for (int e = 0; e <= s.E; e++)
            offsets.Span[e] = e * ragged / s.E + (e % 2 == 1 ? ragged / s.E / 8 : 0); // ragged, but not much

        Action ours = () => s.Multiply(backend, s, a, b, c, offsets);
        Action blas = () =>
        {
            for (int e = 0; e < s.E; e++)
            {
                int start = s.E == 1 ? 0 : offsets.Span[e], length = s.E == 1 ? ragged : offsets.Span[e + 1] - start;
                int rows = raggedInner || s.E == 1 ? s.Rows : length, inner = raggedInner ? length : s.Inner;
                Gemm(
                    RowMajor, s.TransposeA ? Transposed : Plain, s.TransposeB ? Transposed : Plain, rows, s.Columns, inner, 1f,
                    a.Pointer + start * (raggedInner ? s.Rows : s.Inner), s.TransposeA ? s.Rows : s.Inner,
                    b.Pointer + (raggedInner ? start * s.Columns : e * s.Inner * s.Columns), s.TransposeB ? s.Inner : s.Columns,
                    0f, c.Pointer + (raggedInner ? e * s.Rows : start) * s.Columns, s.Columns);
            }
        };

        if (openBlas)
            SetThreads(threads);
        List<double> oursSeconds = [], blasSeconds = [];
        int calls = Math.Max(1, (int)(SecondsPerRound * 50e9 / s.Work));
        for (int round = -2; round < Rounds; round++)
        {
            Thread.Sleep(RestMilliseconds);
            double oursNow = Time(ours, calls);
            Thread.Sleep(RestMilliseconds);
            double blasNow = openBlas ? Time(blas, calls) : double.NaN;
            if (round < 0)
                continue; // warm-up
            oursSeconds.Add(oursNow);
            blasSeconds.Add(blasNow);
        }

        return (1e-9 * s.Work / Median(oursSeconds), 1e-9 * s.Work / Median(blasSeconds));
    }

    /// <summary>GFLOP/s of the micro-kernel on one thread with its operands in the first-level cache.</summary>
    private static double MicroKernelRate(MicroKernel kernel)
    {
        const int Depth = 128, Calls = 2000;
        float* a = stackalloc float[Depth * kernel.Rows], b = stackalloc float[Depth * kernel.Columns], c = stackalloc float[kernel.Rows * kernel.Columns];
        nint aAddress = (nint)a, bAddress = (nint)b, cAddress = (nint)c;
        List<double> seconds = [];
        for (int round = 0; round < Rounds; round++)
            seconds.Add(Time(() => kernel.OfWidth(kernel.Columns)(Depth, (float*)aAddress, 1, kernel.Rows, (float*)bAddress, kernel.Columns, (float*)cAddress, kernel.Columns, false), Calls));
        return 2e-9 * Depth * kernel.Rows * kernel.Columns / seconds.Min();
    }

    private static double Time(Action action, int calls)
    {
        action();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < calls; i++)
            action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds / calls;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static Floats Random(CpuBackend backend, int length)
    {
        Random random = new(length);
        Floats values = backend.Pool.Rent((long)length * sizeof(float)).As<float>(length);
        foreach (ref float value in values.Span)
            value = random.NextSingle() - 0.5f;
        return values;
    }

    private const string OpenBlas = "libopenblas.so.0";
    private const int RowMajor = 101, Plain = 111, Transposed = 112;

    [LibraryImport(OpenBlas, EntryPoint = "openblas_set_num_threads")]
    private static partial void SetThreads(int threads);

    [LibraryImport(OpenBlas, EntryPoint = "cblas_sgemm")]
    private static partial void Gemm(
        int order, int transposeA, int transposeB, int rows, int columns, int inner, float alpha, float* a, int aRow, float* b, int bRow, float beta, float* c, int cRow);
}
