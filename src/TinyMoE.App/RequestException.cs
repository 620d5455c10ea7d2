using System.Globalization;

namespace TinyMoE.App;

/// <summary>The settings of requests that messages name. Each application calls them its own way: an option, a field of a form.</summary>
public enum Setting
{
    /// <summary>The name of the device: <see cref="DeviceRequest.Name"/>.</summary>
    Device,

    /// <summary>The folder of the run: <see cref="TrainingRequest.Folder"/>.</summary>
    Folder,

    /// <summary>Whether a run goes on: <see cref="TrainingRequest.Resume"/>.</summary>
    Resume,

    /// <summary>Whether a run is replaced: <see cref="TrainingRequest.Overwrite"/>.</summary>
    Overwrite,

    /// <summary>The run to begin with: <see cref="ConfigChoice.Init"/>.</summary>
    Init,

    /// <summary>Whether a run that goes on keeps its schedule: <see cref="ConfigChoice.KeepSchedule"/>.</summary>
    KeepSchedule,

    /// <summary>The label to write by: <see cref="GenerationRequest.Label"/>.</summary>
    Label,

    /// <summary>The texts to measure: <see cref="EvaluationRequest.Sources"/>.</summary>
    Sources,

    /// <summary>The file of the chat template: <see cref="ChatRequest.Template"/>.</summary>
    Template,
}

/// <summary>A request that cannot be met as it stands. The message names settings; an application can have it in its own words.</summary>
public sealed class RequestException : TinyMoEException
{
    private readonly FormattableString text;

    /// <summary>An error whose text names settings by <see cref="Setting"/> values among its arguments.</summary>
    internal RequestException(FormattableString text)
        : base(Write(text, setting => setting.ToString())) => this.text = text;

    /// <summary>The message, with every setting called what <paramref name="nameOf"/> calls it.</summary>
    public string In(Func<Setting, string> nameOf) => Line(Write(text, nameOf));

    private static string Write(FormattableString text, Func<Setting, string> nameOf)
    {
        object?[] parts = [.. text.GetArguments().Select(part => part is Setting setting ? nameOf(setting) : part)];
        return string.Format(CultureInfo.InvariantCulture, text.Format, parts);
    }
}
