namespace TinyMoE.Campaign;

/// <summary>What happens at a call.</summary>
internal enum Act
{
    None,
    KillBefore,
    KillMid,
    KillAfter,
    Fail,
    Short,
}

/// <summary>Why a call is refused: the errno of Linux.</summary>
internal enum Refusal
{
    None = 0,
    EIO = 5,
    EACCES = 13,
    EMFILE = 24,
    ENOSPC = 28,
}

/// <summary>What shim.c does to a program: its calls below a folder count, and one of them is acted at.</summary>
/// <param name="Folder">Calls on what is below it count.</param>
internal sealed record ShimOrder(string Folder)
{
    /// <summary>The file that lists the calls; null: none.</summary>
    public string? Log { get; init; }

    /// <summary>Whether reading counts too.</summary>
    public bool Reads { get; init; }

    /// <summary>The number of the call to act at; 0: none.</summary>
    public int At { get; init; }

    /// <summary>What happens there.</summary>
    public Act Act { get; init; }

    /// <summary>What a refused call says.</summary>
    public Refusal Refusal { get; init; }

    /// <summary>Whether all later calls are refused too.</summary>
    public bool ToTheEnd { get; init; }

    /// <summary>The longest sleep before a call, in microseconds.</summary>
    public int Delay { get; init; }

    /// <summary>The order as shim.c reads it.</summary>
    public string Text => string.Create(
        System.Globalization.CultureInfo.InvariantCulture,
        $"folder={Folder};log={Log};reads={(Reads ? 1 : 0)};at={At};act={Word(Act)};errno={(int)Refusal};last={(ToTheEnd ? 1 : 0)};"
        + $"delay={Delay}");

    /// <summary>What it does, for a person.</summary>
    public override string ToString() => Act switch
    {
        Act.None => Delay > 0 ? $"up to {Delay} µs before each call" : "nothing",
        Act.Fail or Act.Short => $"{Word(Act)} {Refusal}{(ToTheEnd ? " to the end" : "")} at call {At}{(Reads ? ", reads counted" : "")}",
        _ => $"{Word(Act)} at call {At}",
    };

    private static string Word(Act act) => act switch
    {
        Act.KillBefore => "kill-before",
        Act.KillMid => "kill-mid",
        Act.KillAfter => "kill-after",
        Act.Fail => "fail",
        Act.Short => "short",
        _ => "none",
    };
}
