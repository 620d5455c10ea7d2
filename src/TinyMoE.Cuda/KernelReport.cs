namespace TinyMoE.Cuda;

/// <summary>A report on one kernel as the driver compiled it for its card.</summary>
/// <param name="File">The file of native/ptx.</param>
/// <param name="Name">Its name.</param>
/// <param name="Registers">Registers per thread.</param>
/// <param name="LocalBytes">Bytes of local memory per thread: arrays, and registers that did not fit.</param>
/// <param name="SharedBytes">Bytes of shared memory per block that its source declares.</param>
/// <param name="MostThreads">The most threads per block that it can be launched with.</param>
public sealed record KernelReport(string File, string Name, int Registers, int LocalBytes, int SharedBytes, int MostThreads)
{
    internal static KernelReport Of(string file, Kernel kernel, CudaDevice device)
    {
        int Ask(CUFunctionAttribute question)
        {
            int answer = 0;
            device.Check(Driver.FunctionManagement.cuFuncGetAttribute(ref answer, question, kernel.Function),
                nameof(Driver.FunctionManagement.cuFuncGetAttribute));
            return answer;
        }

        return new KernelReport(
            file, kernel.Name, Ask(CUFunctionAttribute.NumRegs), Ask(CUFunctionAttribute.LocalSizeBytes),
            Ask(CUFunctionAttribute.SharedSizeBytes), Ask(CUFunctionAttribute.MaxThreadsPerBlock));
    }
}
