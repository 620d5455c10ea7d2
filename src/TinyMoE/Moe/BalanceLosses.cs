using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>The losses that keep experts in use. Each takes what one layer's router computed and gives an unweighted scalar.</summary>
public static class BalanceLosses
{
    /// <summary>
    /// Switch load balancing, E/K·Σ_e f_e·P_e with f_e = choices of e a token (Σf = K) and P the mean softmax over all experts: 1 when balanced, for every K.
    /// Gradient through P only (Fedus et al. 2021, equations 4 to 6). logits (T, E), choices (T, K).
    /// </summary>
    public static Tensor Switch(Tensor logits, Ints choices, int K)
    {
        int T = logits.Shape[0], E = logits.Shape[1];
        Tensor f = logits.Tape.Constant(E);                      // (E), E/K times f
        logits.Tape.Backend.SumRows(OneHot(logits, choices, K).Data, (float)E / K / T, T, E, f.Data);
        return logits.Softmax().MeanRows().Multiply(f).Sum();
    }

    /// <summary>Router z-loss, mean over tokens of (log Σ_e exp h_e)² (Zoph et al. 2022, equation 5). logits (T, E).</summary>
    public static Tensor Z(Tensor logits) => logits.LogSumExp().Square().Mean();

    /// <summary>The squared coefficient of variation, var(v)/mean(v)², population variance (Shazeer et al. 2017): 0 when all are equal, with a finite gradient there. v (E).</summary>
    public static Tensor SquaredVariation(Tensor v)
    {
        const float Epsilon = 1e-10f; // nothing routed: 0, not 0/0
        Tensor row = v.Reshape((1, v.Count));
        Tensor mean = row.MeanColumns();                         // (1, 1)
        Tensor variance = row.Subtract(mean).Square().MeanColumns();
        return variance.Divide(mean.Square().Shift(Epsilon)).Reshape(1);
    }

    /// <summary>1 where a token chose an expert, 0 elsewhere, without gradient. choices (T, K), result the shape of <paramref name="like"/> (T, E).</summary>
    internal static Tensor OneHot(Tensor like, Ints choices, int K)
    {
        int T = like.Shape[0], E = like.Shape[1];
        Tape tape = like.Tape;
        Tensor ones = tape.Constant((T, K)), oneHot = tape.Constant((T, E));
        tape.Backend.Fill(ones.Data, 1f);
        tape.Backend.ScatterColumns(ones.Data, choices, T, E, K, new Target(oneHot.Data, Adds: false));
        return oneHot;
    }

    /// <summary>Adds the losses that every router can have and the configuration switches on.</summary>
    internal static void Add(List<BalanceLoss> losses, MoeConfig config, Tensor logits, Ints choices, Assignment assignment)
    {
        if (config.BalanceLoss > 0f)
            losses.Add(new BalanceLoss("balance", Switch(logits, choices, config.Active), config.BalanceLoss));
        if (config.ZLoss > 0f)
            losses.Add(new BalanceLoss("z", Z(logits), config.ZLoss));
        if (config.ImportanceLoss > 0f)
            losses.Add(new BalanceLoss("importance", SquaredVariation(assignment.Importance()), config.ImportanceLoss));
    }
}
