// The element types of the engine, and the driver's types and entry points, which ManagedCuda's names make long.
global using ManagedCuda.BasicTypes;
global using Bfloat16s = TinyMoE.Memory.View<ushort>;
global using Driver = ManagedCuda.DriverAPINativeMethods;
global using Floats = TinyMoE.Memory.View<float>;
global using Ints = TinyMoE.Memory.View<int>;
