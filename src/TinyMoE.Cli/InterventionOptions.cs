using System.CommandLine;
using TinyMoE.App;
using TinyMoE.Files;
using TinyMoE.Layers;

namespace TinyMoE.Cli;

/// <summary>--ablate and --force, which have the routers of a model do otherwise.</summary>
internal sealed class InterventionOptions
{
    private readonly Option<ExpertId[]?> ablate = Experts(
        "--ablate", "Experts to do without, as 1:3,2:0: the router chooses among the others. What that does to the loss is shown.");
    private readonly Option<ExpertId[]?> force = Experts(
        "--force", "Experts to send every token of their layer to, one per layer, as 1:3.");

    public void AddTo(Command command)
    {
        command.Add(ablate);
        command.Add(force);
    }

    /// <summary>The changes that were asked for; null: none.</summary>
    public ExpertChanges? Read(ParseResult parsed) => parsed.GetResult(ablate) is null && parsed.GetResult(force) is null
        ? null
        : new ExpertChanges(parsed.GetValue(ablate) ?? [], parsed.GetValue(force) ?? []);

    private static Option<ExpertId[]?> Experts(string name, string description) => new(name)
    {
        HelpName = "LAYER:EXPERT,...",
        Description = description,
        CustomParser = result =>
        {
            List<ExpertId> ids = [];
            foreach (string word in result.Tokens.SelectMany(token => token.Value.Split(',')))
            {
                if (!ExpertId.TryParse(word.Trim(), out ExpertId id))
                {
                    result.AddError($"{name} needs layers and experts, both from 0, as 1:3,2:0, not '{Excerpt.Of(word)}'");
                    return null;
                }

                ids.Add(id);
            }

            return [.. ids.Distinct()];
        },
    };
}
