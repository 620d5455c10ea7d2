namespace TinyMoE.Tokenizers.PreTokenizers;

/// <summary>Cuts a text into the words that a model gets.</summary>
internal abstract class PreTokenizer
{
    /// <summary>Adds the pieces of a piece, empty ones too; a piece of no bytes is then left out.</summary>
    public abstract void Split(Piece piece, List<Piece> pieces);

    /// <summary>
    /// Whether the pieces of a line do not depend on the next one, where a line ends in one line feed alone and the next begins with a letter.
    /// </summary>
    public virtual bool WorksByLine => false;

    /// <summary>Whether moreover no piece goes on from such a line to the next.</summary>
    public virtual bool CutsLines => false;
}
