using System.Text;

namespace TinyMoE;

/// <summary>
/// A mistake a person can mend (bad input, a broken file, an impossible configuration). The message is one line: what, where, what to do.
/// </summary>
public class TinyMoEException : Exception
{
    private const int LongestStart = 1400, LongestEnd = 500;
    private const string LeftOut = " ... ";

    /// <summary>Creates the error with its one-line message.</summary>
    public TinyMoEException(string message)
        : base(Line(message))
    {
    }

    /// <summary>Creates the error with its one-line message and what caused it.</summary>
    public TinyMoEException(string message, Exception inner)
        : base(Line(message), inner)
    {
    }

    /// <summary>
    /// A message as one line that is not endless: texts of files may be in it, and they may hold anything. What would break the line, or
    /// steer a terminal, is replaced.
    /// </summary>
    internal static string Line(string message)
    {
        if (message.Length > LongestStart + LeftOut.Length + LongestEnd)
            message = message[..LongestStart] + LeftOut + message[^LongestEnd..];
        StringBuilder line = new(message.Length);
        foreach (Rune rune in message.EnumerateRunes()) // half a surrogate pair becomes U+FFFD
        {
            if (rune.Value is '\n' or '\r' or '\t' or 0x85 or 0x2028 or 0x2029)
                line.Append(' ');
            else if (Rune.IsControl(rune))
                line.Append('?');
            else
                line.Append(rune.ToString());
        }

        return line.ToString();
    }
}
