namespace TinyMoE.Tokenizers.Training;

/// <summary>A tokenizer that was trained: its file, and what it was trained on.</summary>
/// <param name="File">The <c>tokenizer.json</c>, in UTF-8.</param>
/// <param name="Tokens">Number of tokens.</param>
/// <param name="Merges">Number of merges.</param>
/// <param name="Words">Words of the text.</param>
/// <param name="DifferentWords">How many of them are different.</param>
/// <param name="TextTokens">How many tokens the text has.</param>
internal sealed record TrainedTokenizer(byte[] File, int Tokens, int Merges, long Words, int DifferentWords, long TextTokens);

/// <summary>How far the training of a tokenizer is.</summary>
/// <param name="Bytes">Bytes of text that were read.</param>
/// <param name="Tokens">Number of tokens there are; 0 while words are counted.</param>
public sealed record TokenizerProgress(long Bytes, int Tokens);
