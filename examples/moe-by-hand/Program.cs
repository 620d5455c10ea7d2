// A sparse mixture of experts by hand: route, dispatch, experts, combine, each a line or two with the shapes beside it. Tokens of four
// kinds, each kind with a linear map of its own; four linear experts and a router learn which token needs which map.
// Nothing tells them the kinds.
//
//     dotnet run -c Release --project examples/moe-by-hand
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Moe.Losses;
using TinyMoE.Ops;
using TinyMoE.Optim;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

const int Kinds = 4, E = 4, K = 1, C = 8, N = 256, Steps = 600;

using CpuBackend backend = new();
using ParameterStore parameters = new(backend);
Parameter gate = parameters.Add("gate", (E, C), Initializer.Normal(0.1f));
Parameter experts = parameters.Add("experts", (E, C, C), Initializer.Normal(0.1f));
parameters.Allocate(seed: 1);
AdamW optimizer = new(parameters, new TrainConfig { WeightDecay = 0f });

float[] centers = Normals(step: 0, Kinds * C), maps = Normals(step: 1, Kinds * C * C);
for (int step = 1; step <= Steps; step++)
{
    (float[] tokens, float[] answers, int[] kinds) = Batch(step);
    using Tape tape = backend.NewTape();
    Tensor x = tape.Constant((N, C), tokens), target = tape.Constant((N, C), answers);

    Tensor logits = x.Linear(gate);                                        // (N, E)
    var choices = logits.TopK(K);                     // (N, K): the experts of each token
    Tensor probabilities = logits.Softmax();                               // (N, E)
    Tensor gates = probabilities.SelectColumns(choices, K);                // (N, K): how much each counts
    Assignment assignment = Assignment.FromChoices(choices, gates, E);     // the same as N·K rows, sorted by expert

    Tensor rows = assignment.Dispatch(x);                                  // (N·K, C)
    Tensor computed = rows.GroupedLinear(experts, assignment.Offsets);     // (N·K, C): each expert on its own rows
    Tensor y = assignment.Combine(computed);                               // (N, C)

    Tensor error = y.Subtract(target).Square().Mean();                     // (1)
    Tensor loss = error.Add(SwitchLoss.Of(probabilities, choices, K, active: K).Scale(0.1f));

    if (step is 1 or Steps || step % 150 == 0)
        Report(step, error.Item(), backend.Read(choices), kinds);
    parameters.ZeroGrad();
    tape.Backward(loss);
    parameters.RequireGradients();
    optimizer.Step(step, learningRate: 0.01f);
}

// N tokens near the centre of their kind, and what their kind's map makes of them.
(float[] Tokens, float[] Answers, int[] Kinds) Batch(int step)
{
    float[] noise = Normals(step + 1, N * C), tokens = new float[N * C], answers = new float[N * C];
    int[] kinds = [.. Enumerable.Range(0, N).Select(n => n % Kinds)];
    for (int i = 0; i < N * C; i++)
        tokens[i] = centers[kinds[i / C] * C + i % C] + 0.7f * noise[i];
    for (int i = 0; i < N * C; i++)
    {
        for (int c = 0; c < C; c++)
            answers[i] += maps[(kinds[i / C] * C + i % C) * C + c] * tokens[i / C * C + c] / MathF.Sqrt(C);
    }

    return (tokens, answers, kinds);
}

// The table that shows whether each expert has found a kind.
void Report(int step, float error, int[] choices, int[] kinds)
{
    Console.WriteLine($"step {step,3}  mean squared error {error:F4}");
    for (int kind = 0; kind < Kinds; kind++)
    {
        IEnumerable<int> counts = Enumerable.Range(0, E).Select(e => choices.Where((choice, t) => choice == e && kinds[t] == kind).Count());
        Console.WriteLine($"    tokens of kind {kind} at each expert: {string.Join(" ", counts.Select(count => $"{count,4}"))}");
    }
}

float[] Normals(int step, int count)
{
    Philox random = new(new RandomKey(Seed: 1, RandomPurpose.Other, step));
    return [.. Enumerable.Range(0, count).Select(i => random.Normal(i))];
}
