// Two element types run through the engine: float32 values and int32 indices.
global using Floats = TinyMoE.Memory.View<float>;
global using Ints = TinyMoE.Memory.View<int>;
