using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

/// <summary>
/// A device whose kernels compute in float32 memory, and which has each kernel for values in bfloat16 all the same: what it reads is
/// widened into scratch, what it writes is computed there and rounded once. Values in float32 are passed on as they are, at no cost. A
/// device that has a kernel for 16 bits overrides the method; this is what such a kernel is compared with.
/// </summary>
public abstract partial class WideningBackend : Backend
{
    private readonly List<Loan> loans = []; // of the call that runs: a stack, empty between calls

    /// <summary>Where scratch comes from; a device whose memory is nobody else's may have it beside the tensors'.</summary>
    protected virtual MemoryPool ScratchPool => Pool;

    /// <summary>What is in scratch for one call: goes back, results rounded to where they belong, when it is disposed.</summary>
    private readonly ref struct Scratch(WideningBackend backend)
    {
        private readonly int first = backend.loans.Count;

        /// <summary>What a kernel reads.</summary>
        public Floats In(Values x)
        {
            if (x.Type == ElementType.Float32)
                return x.Float32;
            Floats wide = Rent(x, isWritten: false);
            backend.Convert(x, x.Length, wide);
            return wide;
        }

        /// <summary>What it stores.</summary>
        public Floats Out(Values y) => y.Type == ElementType.Float32 ? y.Float32 : Written(y) is { IsNone: false } wide ? wide
            : Rent(y, isWritten: true);

        /// <summary>What it reads and writes, or writes in part.</summary>
        public Floats InOut(Values y)
        {
            if (y.Type == ElementType.Float32 || Written(y) is { IsNone: false })
                return Out(y);
            Floats wide = Out(y);
            backend.Convert(y, y.Length, wide);
            return wide;
        }

        /// <summary>What it stores or adds to. Two targets at one place (of x + x) are one in scratch too.</summary>
        public Target Out(Target y) =>
            y.Type == ElementType.Float32 ? y : new Target(y.Adds ? InOut(y.Values) : Out(y.Values), y.Adds);

        /// <inheritdoc cref="InOut(Values)"/>
        public Target InOut(Target y) => y.Type == ElementType.Float32 ? y : new Target(InOut(y.Values), y.Adds);

        /// <summary>What follows a product; its result may be the product's own place.</summary>
        public Epilogue After(in Epilogue epilogue) => epilogue.Gate.Type == ElementType.Float32
            && epilogue.Activated.Type == ElementType.Float32
            ? epilogue
            : epilogue with { Gate = In(epilogue.Gate), Activated = Out(epilogue.Activated) };

        public void Dispose()
        {
            for (int i = backend.loans.Count - 1; i >= first; i--)
            {
                Loan loan = backend.loans[i];
                backend.loans.RemoveAt(i);
                if (loan.IsWritten)
                    backend.Convert(loan.Wide, loan.Wide.Length, loan.Narrow);
                backend.ScratchPool.Return(loan.Buffer);
            }
        }

        /// <summary>The scratch of what is written already; none: it is not.</summary>
        private Floats Written(Values y)
        {
            for (int i = first; i < backend.loans.Count; i++)
            {
                if (backend.loans[i] is { IsWritten: true } loan && loan.Narrow == y)
                    return loan.Wide;
            }

            return default;
        }

        private Floats Rent(Values narrow, bool isWritten)
        {
            DeviceBuffer buffer = backend.ScratchPool.Rent((long)narrow.Length * sizeof(float), "values widened");
            Floats wide = buffer.As<float>(narrow.Length);
            backend.loans.Add(new Loan(buffer, wide, narrow, isWritten));
            return wide;
        }
    }

    private readonly record struct Loan(DeviceBuffer Buffer, Floats Wide, Values Narrow, bool IsWritten);
}
