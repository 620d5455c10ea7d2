// Autograd on one screen: a net of two layers learns XOR by plain gradient descent. No model, no optimiser, no trainer: only a tape,
// which remembers every op so that Backward can walk back through them and leave in each variable the gradient of the loss by it.
//
//     dotnet run -c Release --project examples/autograd
using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

const int Hidden = 8, Steps = 200;
const float Rate = 0.1f;
float[] inputs = [0, 0, 0, 1, 1, 0, 1, 1];                                 // (4, 2)
float[] targets = [0, 1, 1, 0];                                            // (4, 1)

Shape[] shapes = [(Hidden, 2), Hidden, (1, Hidden), 1];                    // w1, b1, w2, b2
float[][] weights = new float[shapes.Length][];
for (int i = 0; i < shapes.Length; i++)
{
    Philox random = new(new RandomKey(Seed: 1, RandomPurpose.Other, Step: 0, Layer: i));
    weights[i] = [.. Enumerable.Range(0, shapes[i].Count).Select(index => random.Normal(index))];
}

using CpuBackend backend = new();
for (int step = 0; step <= Steps; step++)
{
    (float loss, float[] outputs, float[][] gradients) = Run();
    if (step == 0)
        Console.WriteLine($"gradient of w1[0]: {gradients[0][0]:F5} by backward, {Difference(0, 0):F5} by central differences");
    if (step % 50 == 0)
        Console.WriteLine($"step {step,3}  loss {loss:F5}  outputs {string.Join(" ", outputs.Select(output => $"{output,6:F3}"))}");

    for (int i = 0; i < weights.Length; i++)
    {
        for (int j = 0; j < weights[i].Length; j++)
            weights[i][j] -= Rate * gradients[i][j];
    }
}

// One pass forward and one back. The tape lives for the step; disposing it returns its memory to the backend's pool.
(float Loss, float[] Outputs, float[][] Gradients) Run()
{
    using Tape tape = backend.NewTape();
    Tensor x = tape.Constant((4, 2), inputs), target = tape.Constant((4, 1), targets);
    Tensor[] w = [.. weights.Select((values, i) => tape.Variable(shapes[i], values))];

    Tensor hidden = x.Linear(w[0], w[1]).Tanh();                           // (4, Hidden)
    Tensor output = hidden.Linear(w[2], w[3]);                             // (4, 1)
    Tensor loss = output.Subtract(target).Square().Mean();                 // (1)

    (float lossValue, float[] outputs) = (loss.Item(), output.ToArray());  // before Backward: it frees what it passes
    tape.Backward(loss);
    return (lossValue, outputs, [.. w.Select(variable => backend.Read(variable.Grad))]);
}

// The slope of the loss along weight j of group i, measured: what Backward must agree with.
float Difference(int i, int j)
{
    const float Step = 1e-2f;
    float at = weights[i][j];
    weights[i][j] = at + Step;
    float above = Run().Loss;
    weights[i][j] = at - Step;
    float below = Run().Loss;
    weights[i][j] = at;
    return (above - below) / (2 * Step);
}
