using TinyMoE.Backends;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>Each value is zero with probability Rate, else x/(1 − Rate), so that
    /// the mean stays (Srivastava et al. 2014). x itself when the rate is 0.</summary>
    public static Tensor Dropout(this Tensor x, in Dropout dropout)
    {
        Check.That(nameof(Dropout), dropout.Rate is >= 0f and < 1f, $"the rate is 0 to below 1, not {dropout.Rate}");
        if (dropout.Rate == 0f)
            return x;

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, x.Type);
        tape.Backend.Dropout(x.Values, in dropout, x.Count, y.Values);

        // dx = dy where x was kept, scaled alike: the same random numbers again
        return tape.Record(nameof(Dropout), y, x, dropout, static (y, x, dropout) =>
            y.Tape.Backend.Dropout(y.GradValues, in dropout, x.Count, x.GradTarget()));
    }

    /// <summary>x·u with u uniform in [1 − width, 1 + width] (Fedus et al. 2021).</summary>
    public static Tensor Jitter(this Tensor x, float width, RandomKey key)
    {
        x = x.ToFloat32();
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);
        tape.Backend.Jitter(x.Data, width, key, x.Count, y.Data);

        // dx = dy·u: the same random numbers again
        return tape.Record(nameof(Jitter), y, x, width, key, static (y, x, width, key) =>
            y.Tape.Backend.Jitter(y.Grad, width, key, x.Count, x.GradTarget()));
    }

    /// <summary>A constant of standard normal numbers.</summary>
    public static Tensor Normal(this Tape tape, Shape shape, RandomKey key)
    {
        Tensor y = tape.Constant(shape);
        tape.Backend.FillNormal(key, y.Count, y.Data);
        return y;
    }

    /// <summary>A constant of numbers uniform in [0, 1).</summary>
    public static Tensor Uniform(this Tape tape, Shape shape, RandomKey key)
    {
        Tensor y = tape.Constant(shape);
        tape.Backend.FillUniform(key, y.Count, y.Data);
        return y;
    }
}
