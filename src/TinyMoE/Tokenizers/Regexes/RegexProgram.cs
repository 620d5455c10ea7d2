namespace TinyMoE.Tokenizers.Regexes;

/// <summary>What one step of a pattern does.</summary>
internal enum RegexStep
{
    /// <summary>The match ends here.</summary>
    Accept,

    /// <summary>Takes one character of a set.</summary>
    One,

    /// <summary>Takes as many characters of a set as there are, from Least to Most, and gives back one at a time.</summary>
    Run,

    /// <summary>Goes on at First, or, if that fails, at Second.</summary>
    Fork,

    /// <summary>Goes on at First.</summary>
    Jump,

    /// <summary>Goes on at a place of a kind only.</summary>
    Anchor,

    /// <summary>Takes what the steps behind match the first way that goes, and goes on at First.</summary>
    Atomic,

    /// <summary>Looks whether the steps behind match, or do not, and goes on at First.</summary>
    Look,

    /// <summary>Looks whether the steps behind match what is before, or do not, and goes on at First.</summary>
    LookBehind,

    /// <summary>Notes the place where a turn of a loop begins.</summary>
    TurnStart,

    /// <summary>Leaves a loop, to First, whose turn took nothing.</summary>
    TurnEnd,
}

/// <summary>A step with what it needs.</summary>
internal readonly record struct RegexInstruction(
    RegexStep Step, int First = 0, int Second = 0, CharacterSet? Set = null, int Least = 0, int Most = 0, AnchorKind Kind = 0, bool IsNot = false);

/// <summary>Makes steps of a regular expression.</summary>
internal sealed class RegexCompiler
{
    private const int MostSteps = 20_000;

    private readonly List<RegexInstruction> steps = [];
    private int turns;

    /// <summary>The steps, and how many loops note where a turn begins.</summary>
    public static (RegexInstruction[] Steps, int Turns) Compile(RegexNode node)
    {
        RegexCompiler compiler = new();
        compiler.Add(node);
        compiler.Emit(new RegexInstruction(RegexStep.Accept));
        return ([.. compiler.steps], compiler.turns);
    }

    private void Add(RegexNode node)
    {
        switch (node)
        {
            case RegexNode.One one:
                Emit(new RegexInstruction(RegexStep.One, Set: one.Set));
                break;
            case RegexNode.Sequence sequence:
                foreach (RegexNode part in sequence.Parts)
                    Add(part);
                break;
            case RegexNode.Either either:
                AddEither(either);
                break;
            case RegexNode.Repeat { Part: RegexNode.One one, IsLazy: false } run:
                Emit(new RegexInstruction(RegexStep.Run, Set: one.Set, Least: run.Least, Most: run.Most < 0 ? int.MaxValue : run.Most));
                break;
            case RegexNode.Repeat repeat:
                AddRepeat(repeat);
                break;
            case RegexNode.Atomic atomic:
                AddInner(new RegexInstruction(RegexStep.Atomic), atomic.Part);
                break;
            case RegexNode.Look look:
                (int fewest, int most) = look.Part.Length;
                AddInner(
                    new RegexInstruction(
                        look.IsBehind ? RegexStep.LookBehind : RegexStep.Look, Least: fewest, Most: most, IsNot: look.IsNot),
                    look.Part);
                break;
            case RegexNode.Anchor anchor:
                Emit(new RegexInstruction(RegexStep.Anchor, Kind: anchor.Kind));
                break;
        }
    }

    private void AddEither(RegexNode.Either either)
    {
        List<int> jumps = [];
        for (int i = 0; i < either.Parts.Count; i++)
        {
            bool isLast = i + 1 == either.Parts.Count;
            int fork = isLast ? -1 : Emit(new RegexInstruction(RegexStep.Fork));
            Add(either.Parts[i]);
            if (isLast)
                break;
            jumps.Add(Emit(new RegexInstruction(RegexStep.Jump)));
            steps[fork] = steps[fork] with { First = fork + 1, Second = steps.Count };
        }

        foreach (int jump in jumps)
            steps[jump] = steps[jump] with { First = steps.Count };
    }

    private void AddRepeat(RegexNode.Repeat repeat)
    {
        for (int i = 0; i < repeat.Least; i++)
            Add(repeat.Part);
        if (repeat.Most < 0)
        {
            int turn = turns++;
            int fork = Emit(new RegexInstruction(RegexStep.Fork));
            Emit(new RegexInstruction(RegexStep.TurnStart, Least: turn));
            Add(repeat.Part);
            int end = Emit(new RegexInstruction(RegexStep.TurnEnd, Least: turn));
            Emit(new RegexInstruction(RegexStep.Jump, fork));
            steps[end] = steps[end] with { First = steps.Count };
            steps[fork] = Fork(fork + 1, steps.Count, repeat.IsLazy);
            return;
        }

        List<int> forks = [];
        for (int i = repeat.Least; i < repeat.Most; i++)
        {
            forks.Add(Emit(new RegexInstruction(RegexStep.Fork)));
            Add(repeat.Part);
        }

        foreach (int fork in forks)
            steps[fork] = Fork(fork + 1, steps.Count, repeat.IsLazy);
    }

    private static RegexInstruction Fork(int inside, int behind, bool isLazy) =>
        new(RegexStep.Fork, isLazy ? behind : inside, isLazy ? inside : behind);

    private void AddInner(RegexInstruction outer, RegexNode part)
    {
        int at = Emit(outer);
        Add(part);
        Emit(new RegexInstruction(RegexStep.Accept));
        steps[at] = outer with { First = steps.Count };
    }

    private int Emit(RegexInstruction step)
    {
        if (steps.Count >= MostSteps)
            throw new FormatException($"repetitions make more than {MostSteps} steps");
        steps.Add(step);
        return steps.Count - 1;
    }
}
