namespace Harness.Bench.Peers;

/// <summary>
/// One program with one model in one element type. It holds as many sequences as it was made for, each with the same
/// <see cref="Context"/> tokens, and each call leaves it as it was.
/// </summary>
internal interface IModelUnderTest : IDisposable
{
    const int Context = 128, PrefillTokens = 512;

    string Name { get; }

    /// <summary>One token for each of the first so many sequences, after their context.</summary>
    void Decode(int sequences);

    /// <summary>A prompt of <see cref="PrefillTokens"/> tokens from nothing; the logits of the last.</summary>
    float[] Prefill();

    /// <summary>The same everywhere.</summary>
    static int Token(int position) => 3 + position % 256;
}
