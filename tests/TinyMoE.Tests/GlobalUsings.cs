global using Xunit;
global using Ints = TinyMoE.Memory.View<int>;
