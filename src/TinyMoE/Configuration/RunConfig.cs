namespace TinyMoE.Configuration;

/// <summary>
/// Everything a run depends on, in five groups; the same names in JSON (<c>{"model": {"width": 128}}</c>), in <c>--set
/// model.width=128</c> and in the README.
/// </summary>
public sealed record RunConfig
{
    /// <summary>The decoder.</summary>
    public ModelConfig Model { get; init; } = new();

    /// <summary>Heads, positions, norms and experts of attention.</summary>
    public AttentionConfig Attention { get; init; } = new();

    /// <summary>Experts, router, balance losses.</summary>
    public MoeConfig Moe { get; init; } = new();

    /// <summary>Batches, schedule, optimiser, evaluation.</summary>
    public TrainConfig Train { get; init; } = new();

    /// <summary>Text and tokenizer.</summary>
    public DataConfig Data { get; init; } = new();

    /// <summary>Keys that were set by the name they had before; a note says so. No part of what the configuration is.</summary>
    internal IReadOnlyList<ConfigKey> WrittenByFormerName { get; init; } = [];

    /// <summary>Equal where every key has the same value, by whatever name it was written.</summary>
    public bool Equals(RunConfig? other) => other is not null
        && (Model, Attention, Moe, Train).Equals((other.Model, other.Attention, other.Moe, other.Train))
        && Data.Sources.SequenceEqual(other.Data.Sources) && Data == other.Data with { Sources = Data.Sources };

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Model, Attention, Moe, Train);

    /// <summary>A copy with one key changed, as <c>--set key=value</c> does: <c>config.With("model.width", "256")</c>.</summary>
    /// <exception cref="TinyMoEException">There is no such key, or the value is of the wrong kind.</exception>
    public RunConfig With(string key, string value)
    {
        ConfigKey found = ConfigKeys.Find(key);
        return ConfigKeys.Apply(this, [new ConfigChange(found, key, found.Read(value))]);
    }

    /// <summary>The same values in records that no one else has.</summary>
    internal RunConfig Copy() => this with
    {
        Model = Model with { },
        Attention = Attention with { },
        Moe = Moe with { },
        Train = Train with { },
        Data = Data with { },
    };

    /// <summary>Throws where the configuration cannot work, naming the keys and what to do.</summary>
    /// <exception cref="TinyMoEException">What does not fit together, in one line.</exception>
    public void Validate() => Validation.Check(this);

    /// <summary>The same of what a model that is only used needs: its training may be anything.</summary>
    internal void ValidateUse() => Validation.CheckUse(this);

    /// <summary>
    /// A copy for a tokenizer of that many symbols: <c>model.vocabulary</c> = 0 becomes their number, and fewer is an error.
    /// </summary>
    public RunConfig WithVocabulary(int vocabulary)
    {
        if (Model.Vocabulary != 0 && Model.Vocabulary < vocabulary)
        {
            throw new TinyMoEException(
                $"model.vocabulary={Model.Vocabulary} is less than the {vocabulary} symbols that the tokenizer has on this text; "
                + "leave it 0 for as many as there are, or raise it");
        }

        return Model.Vocabulary != 0 ? this : this with { Model = Model with { Vocabulary = vocabulary } };
    }

    /// <summary>
    /// A copy for a text of that many labels: with router task, <c>moe.tasks</c> = 0 becomes their number, and fewer is an error.
    /// </summary>
    public RunConfig WithLabels(int labels)
    {
        if (!Moe.RoutesByLabel)
            return this;
        if (Moe.Tasks != 0 && Moe.Tasks < labels)
        {
            throw new TinyMoEException(
                $"moe.tasks={Moe.Tasks} is less than the {labels} labels of the text; leave it 0 for as many as there are, or raise it");
        }

        return Moe.Tasks != 0 ? this : this with { Moe = Moe with { Tasks = labels } };
    }
}
