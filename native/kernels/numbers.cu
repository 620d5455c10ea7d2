// Tensors of one element, wherever they lie: losses to add up, numbers to gather. Their places come with the launch, by value.
// One thread: all numbers are read before the first is written, so the reads wait for memory together.
#include "common.cuh"

constexpr int MostNumbers = 16; // as in CudaBackend.Numbers.cs

struct Numbers
{
    const float* x[MostNumbers];
    float weight[MostNumbers];
    int count;

    DEVICE float scaled(int i) const { return i < count ? weight[i] * x[i][0] : 0.0f; }
};

struct Places
{
    Target y[MostNumbers];
};

// y = Σ weight[i]·x[i], in order
KERNEL sum_numbers(Numbers numbers, Target y)
{
    float sum = 0;
#pragma unroll // so that the places stay parameters: an index that is not known makes an array of them
    for (int i = 0; i < MostNumbers; i++)
        sum += numbers.scaled(i);
    y.write(0, sum);
}

// y[i] = weight[i]·x[i], in order, where it is wanted
KERNEL scale_numbers(Numbers numbers, Places places)
{
    float value[MostNumbers];
#pragma unroll
    for (int i = 0; i < MostNumbers; i++)
        value[i] = numbers.scaled(i);
#pragma unroll
    for (int i = 0; i < MostNumbers; i++)
        if (i < numbers.count && places.y[i].wanted())
            places.y[i].write(0, value[i]);
}
