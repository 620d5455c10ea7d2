// Three element types run through the engine: float32 values, int32 indices, and bfloat16 copies of weights.
global using Bfloat16s = TinyMoE.Memory.View<ushort>;
global using Floats = TinyMoE.Memory.View<float>;
global using Ints = TinyMoE.Memory.View<int>;
