using System.Collections.Concurrent;

namespace TinyMoE.App;

/// <summary>Makes items on the caller's thread and uses them on another, so that one computes while the other writes.</summary>
internal static class Conveyor
{
    /// <summary>
    /// Uses all items, in order; at most <paramref name="waiting"/> of them wait. What either side throws is thrown here, once neither
    /// works any more.
    /// </summary>
    public static void Run<T>(IEnumerable<T> items, Action<T> use, int waiting, CancellationToken stop)
    {
        using BlockingCollection<T> queue = new(waiting);
        using CancellationTokenSource end = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task user = Task.Factory.StartNew(UseAll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            foreach (T item in items)
                queue.Add(item, end.Token);
            queue.CompleteAdding();
        }
        catch (OperationCanceledException) when (!stop.IsCancellationRequested)
        {
            // The other side has failed and says why below.
        }
        catch
        {
            end.Cancel();
            ((IAsyncResult)user).AsyncWaitHandle.WaitOne();
            throw;
        }

        user.GetAwaiter().GetResult();

        void UseAll()
        {
            try
            {
                foreach (T item in queue.GetConsumingEnumerable(end.Token))
                    use(item);
            }
            catch
            {
                end.Cancel();
                throw;
            }
        }
    }
}
