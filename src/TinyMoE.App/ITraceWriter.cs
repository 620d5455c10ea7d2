using TinyMoE.Inspect;

namespace TinyMoE.App;

/// <summary>Writes a trace into a stream, batch by batch.</summary>
internal interface ITraceWriter : IDisposable
{
    /// <summary>Adds the tokens of a batch that are traced.</summary>
    void Write(TraceBatch batch);

    /// <summary>Writes what is left. What was not finished is not to be read.</summary>
    void Finish();

    /// <summary>Rows of the file so far.</summary>
    long Rows { get; }
}
