namespace TinyMoE.Cuda;

// Launches: arguments lie on the caller's stack, the driver copies them before it returns. Nothing is allocated, nothing is boxed.
public sealed unsafe partial class CudaBackend
{
    private const int MostArguments = 32;

    /// <summary>Where each argument lies, for the driver; one array for all launches.</summary>
    private readonly IntPtr[] argumentAddresses = new IntPtr[MostArguments];

    /// <summary>Queues a kernel. The arguments are its parameters, in order; their sizes are checked against the PTX.</summary>
    internal void Launch(string kernel, Grid grid, params ReadOnlySpan<Argument> arguments)
    {
        if (grid.X == 0 || grid.Y == 0 || grid.Z == 0)
            return;
        Kernel found = kernels[kernel];
        CheckSizes(found, arguments);
        device.MakeCurrent();
        AllowShared(found, grid.SharedBytes);
        fixed (Argument* first = arguments) // on the stack: they stay where they are in any case
        {
            for (int i = 0; i < arguments.Length; i++)
                argumentAddresses[i] = Argument.AddressOf(first + i);
            CUResult result = Queue(found, grid);
            if (result == CUResult.ErrorOutOfMemory && device.Reclaim()) // its local memory, or its code, found none
                result = Queue(found, grid);
            if (result != CUResult.Success)
                throw device.Failure(
                    $"The launch of {kernel}", $" ({grid.X} x {grid.Y} x {grid.Z} blocks of {grid.Threads} threads)", result);
        }
    }

    private void AllowShared(Kernel kernel, int bytes)
    {
        if (bytes <= kernel.SharedLimit)
            return;
        CUResult result = Driver.FunctionManagement.cuFuncSetAttribute(
            kernel.Function, CUFunctionAttribute.MaxDynamicSharedSizeBytes, bytes);
        if (result != CUResult.Success)
            throw device.Failure(
                nameof(Driver.FunctionManagement.cuFuncSetAttribute), $" of {kernel.Name} ({bytes} bytes of shared memory)", result);
        kernel.SharedLimit = bytes;
    }

    private CUResult Queue(Kernel kernel, Grid grid) => Driver.Launch.cuLaunchKernel(
        kernel.Function, (uint)grid.X, (uint)grid.Y, (uint)grid.Z, (uint)grid.Threads, 1, 1, (uint)grid.SharedBytes, device.Stream,
        argumentAddresses, null);

    private static void CheckSizes(Kernel kernel, ReadOnlySpan<Argument> arguments)
    {
        if (arguments.Length != kernel.Parameters.Length)
            throw new InvalidOperationException(
                $"{kernel.Name} has {kernel.Parameters.Length} parameters and was given {arguments.Length} arguments.");
        for (int i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Size != kernel.Parameters[i])
                throw new InvalidOperationException(
                    $"Argument {i} of {kernel.Name} has {arguments[i].Size} bytes, its parameter {kernel.Parameters[i]}.");
        }
    }
}
