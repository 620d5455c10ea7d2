// Random numbers and dropout. A Philox block gives four numbers: a thread takes a block and its four elements. Where the stream's first
// number stands inside a block, the elements begin there too, so each number is drawn once.
#include "common.cuh"

// The elements of Philox block `index`, counted from the block of the stream's first number: `first` is the first of four, below 0 or over
// the end where the block hangs out.
struct Draw
{
    index_t first;
    uint4 words;

    DEVICE Draw(const Stream& stream, index_t index)
        : first(4 * index - (stream.first & 3)), words(stream.block((stream.first >> 2) + index)) {}

    DEVICE Four uniforms() const
    {
        return {Stream::to_uniform(words.x), Stream::to_uniform(words.y), Stream::to_uniform(words.z), Stream::to_uniform(words.w)};
    }
};

// The normal numbers of two words, by Box and Muller: as RandomNumbers/Philox.cs, the angle in half turns instead of radians.
DEVICE float2 to_normals(uint32 radiusWord, uint32 angleWord)
{
    float uniform = (float)((radiusWord >> 8) + 1) * (1.0f / (1 << 24)); // in (0, 1]: its logarithm is finite
    float radius = sqrtf(-2.0f * logf(uniform)), sine, cosine;
    sincospif(2.0f * Stream::to_uniform(angleWord), &sine, &cosine);
    return make_float2(radius * cosine, radius * sine);
}

// Runs body(draw) for the blocks that hold the n numbers of the stream.
template <class Body>
DEVICE void each_draw(const Stream& stream, int n, Body body)
{
    index_t blocks = ((stream.first & 3) + n + 3) / 4;
    for (index_t i = first_index(); i < blocks; i += index_step())
        body(Draw(stream, i));
}

// y[i] = number i of the stream, uniform in [0, 1). y (n)
KERNEL fill_uniform(Stream stream, int n, float* y)
{
    each_draw(stream, n, [&](const Draw& draw) { store_four(y, draw.first, n, draw.uniforms()); });
}

// y[i] = number i of the stream, standard normal. y (n)
KERNEL fill_normal(Stream stream, int n, float* y)
{
    each_draw(stream, n, [&](const Draw& draw)
    {
        float2 one = to_normals(draw.words.x, draw.words.y), two = to_normals(draw.words.z, draw.words.w);
        store_four(y, draw.first, n, {one.x, one.y, two.x, two.y});
    });
}

// y[i] = x[i]·(1 − width + 2·width·u), u the number i of the stream. x, y (n)
KERNEL jitter(Stream stream, float width, const float* x, int n, Target y)
{
    each_draw(stream, n, [&](const Draw& draw)
    {
        y.write_four(draw.first, n, load_four(x, draw.first, n) * (draw.uniforms() * (2.0f * width) + four(1.0f - width)));
    });
}

// y[i] = number i of the stream ≥ rate ? scale·x[i] : 0. x, y (n)
template <class T>
DEVICE void dropout_of(Stream stream, float rate, float scale, const T* x, int n, TargetOf<T> y)
{
    each_draw(stream, n, [&](const Draw& draw)
    {
        Four value = load_four(x, draw.first, n), uniform = draw.uniforms();
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = uniform[j] < rate ? 0.0f : scale * value[j];
        y.write_four(draw.first, n, value);
    });
}

KERNEL dropout(Stream stream, float rate, float scale, const float* x, int n, Target y) { dropout_of(stream, rate, scale, x, n, y); }

KERNEL dropout_bfloat16(Stream stream, float rate, float scale, const bfloat16* x, int n, TargetOf<bfloat16> y)
{
    dropout_of(stream, rate, scale, x, n, y);
}
