namespace TinyMoE.Tokenizers.Regexes;

/// <summary>Walks through the steps of a pattern; what is still to be tried lies on a stack of its own.</summary>
internal sealed class Matcher
{
    /// <summary>The match may end anywhere.</summary>
    public const int AnyEnd = -1;

    private const int MostFrames = 1 << 24;

    private RegexInstruction[] steps = [];
    private Frame[] frames = new Frame[64];
    private int[] turnStarts = []; // where the turn of each loop began
    private int count;
    private long left;

    /// <summary>Sets the steps, and how many may be taken.</summary>
    public void Begin(RegexInstruction[] steps, int turns, long most)
    {
        (this.steps, left, count) = (steps, most, 0);
        if (turnStarts.Length < turns)
            turnStarts = new int[turns];
    }

    /// <summary>
    /// Where the first match ends that begins at a place and, unless any end will do, ends at <paramref name="wanted"/>; -1: there is none.
    /// </summary>
    /// <exception cref="TimeoutException">It took too many steps.</exception>
    public int Match(ReadOnlySpan<byte> utf8, int step, int at, int wanted)
    {
        int floor = count; // frames below are those of the steps around
        while (true)
        {
            if (--left < 0)
                throw new TimeoutException();
            ref readonly RegexInstruction now = ref steps[step];
            bool goesOn = true;
            switch (now.Step)
            {
                case RegexStep.Accept:
                    if (wanted == AnyEnd || at == wanted)
                    {
                        count = floor;
                        return at;
                    }

                    goesOn = false;
                    break;
                case RegexStep.One:
                    goesOn = at < utf8.Length && now.Set!.Contains(Unicode.At(utf8, at, out int length)) && (at += length) >= 0;
                    step++;
                    break;
                case RegexStep.Run:
                    goesOn = Run(utf8, now, step, ref at);
                    step++;
                    break;
                case RegexStep.Fork:
                    Push(new Frame(FrameKind.Try, now.Second, at, 0));
                    step = now.First;
                    break;
                case RegexStep.Jump:
                    step = now.First;
                    break;
                case RegexStep.Anchor:
                    goesOn = Anchors.Holds(now.Kind, utf8, at);
                    step++;
                    break;
                case RegexStep.Atomic:
                    int end = Match(utf8, step + 1, at, AnyEnd);
                    goesOn = end >= 0;
                    (step, at) = (now.First, goesOn ? end : at);
                    break;
                case RegexStep.Look:
                    goesOn = Match(utf8, step + 1, at, AnyEnd) >= 0 != now.IsNot;
                    step = now.First;
                    break;
                case RegexStep.LookBehind:
                    goesOn = IsBehind(utf8, now, step, at) != now.IsNot;
                    step = now.First;
                    break;
                case RegexStep.TurnStart:
                    Push(new Frame(FrameKind.Restore, now.Least, turnStarts[now.Least], 0));
                    turnStarts[now.Least] = at;
                    step++;
                    break;
                case RegexStep.TurnEnd:
                    step = at == turnStarts[now.Least] ? now.First : step + 1;
                    break;
            }

            if (!goesOn && !Back(utf8, floor, ref step, ref at))
                return -1;
        }
    }

    private bool Run(ReadOnlySpan<byte> utf8, in RegexInstruction now, int step, ref int at)
    {
        int taken = 0, least = at;
        while (taken < now.Most && at < utf8.Length && now.Set!.Contains(Unicode.At(utf8, at, out int length)))
        {
            at += length;
            if (++taken == now.Least)
                least = at;
        }

        left -= taken;
        if (taken < now.Least)
            return false;
        if (at > least)
            Push(new Frame(FrameKind.GiveBack, step + 1, at, least));
        return true;
    }

    private bool IsBehind(ReadOnlySpan<byte> utf8, in RegexInstruction now, int step, int at)
    {
        int start = at;
        for (int characters = 0; characters <= now.Most; characters++)
        {
            if (characters >= now.Least && Match(utf8, step + 1, start, at) >= 0)
                return true;
            if (start == 0)
                return false;
            start = Unicode.Before(utf8, start);
        }

        return false;
    }

    // Takes back the last choice that has another way.
    private bool Back(ReadOnlySpan<byte> utf8, int floor, ref int step, ref int at)
    {
        while (count > floor)
        {
            ref Frame frame = ref frames[count - 1];
            switch (frame.Kind)
            {
                case FrameKind.Try:
                    (step, at) = (frame.Step, frame.At);
                    count--;
                    return true;
                case FrameKind.Restore:
                    turnStarts[frame.Step] = frame.At;
                    count--;
                    break;
                case FrameKind.GiveBack:
                    at = Unicode.Before(utf8, frame.At);
                    step = frame.Step;
                    if (at > frame.Least)
                        frame = frame with { At = at };
                    else
                        count--;
                    return true;
            }
        }

        return false;
    }

    private void Push(Frame frame)
    {
        if (count == frames.Length)
        {
            if (count >= MostFrames)
                throw new TimeoutException();
            Array.Resize(ref frames, count * 2);
        }

        frames[count++] = frame;
    }

    private enum FrameKind
    {
        /// <summary>Go on at a step.</summary>
        Try,

        /// <summary>Put back where the turn of a loop began.</summary>
        Restore,

        /// <summary>Go on with one character less.</summary>
        GiveBack,
    }

    private readonly record struct Frame(FrameKind Kind, int Step, int At, int Least);
}

/// <summary>Kinds of places.</summary>
internal static class Anchors
{
    /// <summary>Whether a place is of a kind.</summary>
    public static bool Holds(AnchorKind kind, ReadOnlySpan<byte> utf8, int at) => kind switch
    {
        AnchorKind.LineStart => at == 0 || (utf8[at - 1] == '\n' && at < utf8.Length),
        AnchorKind.LineEnd => at == utf8.Length || utf8[at] == '\n',
        AnchorKind.TextStart => at == 0,
        AnchorKind.TextEnd => at == utf8.Length,
        AnchorKind.LastLineEnd => at == utf8.Length || (at == utf8.Length - 1 && utf8[at] == '\n'),
        AnchorKind.WordEdge => IsEdge(utf8, at),
        _ => !IsEdge(utf8, at),
    };

    private static bool IsEdge(ReadOnlySpan<byte> utf8, int at)
    {
        bool before = at > 0 && CharacterSets.Word.Contains(Unicode.At(utf8, Unicode.Before(utf8, at), out _));
        bool behind = at < utf8.Length && CharacterSets.Word.Contains(Unicode.At(utf8, at, out _));
        return before != behind;
    }
}
