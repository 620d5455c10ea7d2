using TinyMoE.RandomNumbers;

namespace TinyMoE.Cuda;

/// <summary>struct Stream of native/kernels/common.cuh, field for field:
/// the numbers of a <see cref="RandomKey"/> from one of them on.</summary>
internal readonly record struct RandomStream(uint Key0, uint Key1, uint Step, uint Place, long First, nint Live)
{
    /// <summary>The stream of <paramref name="key"/>, whose number <paramref name="first"/> is the
    /// first element's. A part p of n numbers begins at p·n: the caller computes it.</summary>
    public static RandomStream Of(RandomKey key, long first) =>
        new((uint)key.Seed, (uint)(key.Seed >> 32), (uint)key.Step, ((uint)key.Purpose << 16) | (ushort)key.Layer, first,
            key.StepPlace.Address);
}
