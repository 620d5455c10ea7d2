using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Decode.</summary>
internal sealed class DecodeCases : KernelCases
{
    private const int Remembered = 5;

    /// <inheritdoc/>
    public override int Order => 145;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        if (adds) // nothing is added to
            yield break;
        int V = s.V;
        foreach (OfNewToken one in NewTokens(s))
            yield return Case($"AttendNewToken{one.Variant}", (b, d) => one.Run(b, d, isNarrow: false));

        foreach (OfNewTokens some in ManyNewTokens(s))
            yield return Case($"AttendNewTokens{some.Variant}", (b, d) => some.Run(b, d, isNarrow: false));

        SamplingRules plain = new(0.8f, TopK: 0, TopP: 1f, MinP: 0f, RepetitionPenalty: 1f, Seed: 5);
        int large = 5000 + V;
        foreach ((string variant, int vocabulary, SamplingRules rules, bool few) in new[]
        {
            ("", V, plain, false),
            (" of the likeliest", V, plain with { Temperature = 0f, RepetitionPenalty = 1.3f }, false),
            (" by all rules", V, new SamplingRules(0.9f, V / 3, 0.9f, 0.02f, 1.3f, 7), true),
            (" by its share", V, plain with { MinP = 0.3f }, false),
            (" of a large vocabulary", large, plain with { Temperature = 1.5f }, false),
            (" of a nucleus of a large vocabulary", large, plain with { TopP = 0.7f, RepetitionPenalty = 0.9f }, true),
            (" of some of a large vocabulary", large, plain with { TopK = 40, TopP = 0.95f }, false),
            (" of the likeliest of a large vocabulary", large, plain with { Temperature = 0f }, true),
        })
        {
            yield return Choice(variant, vocabulary, rules, few, broken: -1);
        }

        yield return Choice(" where a logit is not finite", V, plain, few: true, broken: V - 1);
        yield return Choice(" of the likeliest where a logit is not finite", V, plain with { Temperature = 0f }, few: false, broken: V / 2);
    }

    /// <summary>The variants of attention of one new token.</summary>
    public static IEnumerable<OfNewToken> NewTokens(KernelSizes s)
    {
        var (N, _, _, _, H, KvHeads, D, _, _, _) = s;
        N = Math.Max(N, 6); // a cache has positions, and some before the last
        NewTokenSizes usual = new(H, KvHeads, D, D / 2 * 2, Interleaved: false, Window: 0, Room: N);
        NewTokenSizes windowed = usual with { Window = N / 3, Interleaved = true, Turned = D / 4 * 2, Factor = 0.7f };
        yield return new("", usual, N - 1, HasSinks: false);
        yield return new(" at the beginning", usual, 0, HasSinks: true);
        yield return new(" in a window, with sinks", windowed, N / 2, HasSinks: true);
        yield return new(
            " of a key head each, without positions", usual with { KvHeads = H, Turned = 0 }, N - 2, HasSinks: false);
        yield return new(" of one key head", usual with { KvHeads = 1, D = D + 1 }, N - 5, HasSinks: false);
    }

    /// <summary>The variants of attention of the new tokens of several sequences.</summary>
    public static IEnumerable<OfNewTokens> ManyNewTokens(KernelSizes s)
    {
        var (N, _, _, _, H, KvHeads, D, _, _, _) = s;
        AttentionSizes usual = new(B: 5, T: 1, Math.Max(N, 6), H, KvHeads, D); // nothing before one, much before another
        yield return new("", usual, HasSinks: false);
        yield return new(" in a window, with sinks", usual with { Window = Math.Max(2, N / 3), KvHeads = H }, HasSinks: true);
        yield return new(" of heads of whole vectors", usual with { D = 64 }, HasSinks: true);
    }

    /// <summary>Several choices in a row, by logits many of which are alike.</summary>
    private KernelCase Choice(string variant, int V, SamplingRules rules, bool few, int broken) => Case($"ChooseToken{variant}", (b, d) =>
    {
        Ints numbers = d.OutInts(DecodeState.First + Remembered), seen = d.OutInts(V);
        b.Write<int>(DecodeState.Begin(position: 11, index: 3, Remembered), numbers);
        b.Write<int>([.. Enumerable.Range(0, V).Select(token => token % 4 == 1 ? 1 : 0)], seen);
        Ints ids = few && V > 1 ? d.In([.. Enumerable.Range(0, V).Where(token => token % 3 != 0 || token == V - 1)]) : default;
        for (int i = 0; i < 3; i++)
        {
            float[] logits = [.. WholeNumbers(V, 97).Select((value, token) => (value - 40 * i - token % 5) / 16f)];
            if (broken >= 0 && i > 0)
                logits[broken] = float.NaN;
            b.ChooseToken(d.In(logits), ids, rules.RepetitionPenalty == 1f ? default : seen, in rules, new DecodeState(numbers));
        }
    });

    /// <summary>Attention of the new tokens of several sequences, each with its own cache.</summary>
    internal sealed record OfNewTokens(string Variant, AttentionSizes Sizes, bool HasSinks)
    {
        /// <summary>Tries it with values in bfloat16, or in float32.</summary>
        public void Run(Backend b, KernelData d, bool isNarrow)
        {
            (int B, _, int S, int H, int KvHeads, int D, _) = Sizes;
            int row = KvHeads * D;
            Values In(int n) => isNarrow ? d.InNarrow(n) : d.In(n);
            Target Out(int n) => isNarrow ? d.OutNarrow(n) : d.Out(n);
            Target Filled(int n)
            {
                Target filled = Out(n);
                b.Convert(In(n), n, filled);
                return filled;
            }

            CachedRows[] caches = [.. Enumerable.Range(0, B).Select(n =>
                new CachedRows(Filled(S * row).Values, Filled(S * row).Values, Length: n * (S - 1) / (B - 1)))];
            b.AttendNewTokens(
                In(B * H * D), In(B * row), In(B * row), HasSinks ? d.In(H) : default, Sizes, caches, Out(B * H * D).Values);
        }
    }

    /// <summary>Attention of one new token at a position of a cache.</summary>
    internal sealed record OfNewToken(string Variant, NewTokenSizes Sizes, int Position, bool HasSinks)
    {
        /// <summary>Tries it with values in bfloat16, or in float32.</summary>
        public void Run(Backend b, KernelData d, bool isNarrow)
        {
            NewTokenSizes s = Sizes;
            int queries = s.H * s.D, row = s.KvHeads * s.D, cache = s.Room * row, angles = s.Room * s.Turned / 2;
            Values In(int n) => isNarrow ? d.InNarrow(n) : d.In(n);
            Target Out(int n) => isNarrow ? d.OutNarrow(n) : d.Out(n);
            (Values q, Values k, Values v) = (In(queries), In(row), In(row));
            Floats cos = angles > 0 ? d.In(angles) : default, sin = angles > 0 ? d.In(angles) : default;
            (Target keys, Target values) = (Out(cache), Out(cache));
            b.Convert(In(cache), cache, keys);
            b.Convert(In(cache), cache, values);
            DecodeState state = new(d.In(DecodeState.Begin(Position, index: 0, Remembered)));
            b.AttendNewToken(
                q, k, v, cos, sin, HasSinks ? d.In(s.H) : default, in s, state, keys.Values, values.Values, Out(queries).Values);
        }
    }
}
