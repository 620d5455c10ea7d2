namespace TinyMoE.Configuration;

/// <summary>
/// The name that a key had before, "model.heads": it goes on working in <c>--set</c>,
/// in JSON and in checkpoints, and <see cref="ConfigNotes"/> names the new one.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class FormerKeyAttribute(string path) : Attribute
{
    /// <summary>The former name, with its group.</summary>
    public string Path { get; } = path;
}
