global using Floats = TinyMoE.Memory.View<float>;
global using Ints = TinyMoE.Memory.View<int>;
