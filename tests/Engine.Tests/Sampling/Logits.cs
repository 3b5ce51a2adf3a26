using System.Globalization;
using FsCheck;
using FsCheck.Fluent;

namespace Quern.Engine.Tests.Sampling;

/// <summary>Generated logits: on a grid, so that equal ones are common, some −∞ but never all, from one token to several vectors and more than a top-p's first sort.</summary>
public sealed record Logits(float[] Values)
{
    public static Arbitrary<Logits> Arbitrary()
    {
        Gen<float> value = Gen.Frequency(
            (9, Gen.Choose(-160, 160).Select(i => i / 16f)),
            (1, Gen.Constant(float.NegativeInfinity)));
        Gen<int> length = Gen.Frequency((6, Gen.Choose(1, 40)), (2, Gen.Choose(41, 400)), (1, Gen.Choose(2000, 4000)));
        Gen<Logits> logits =
            from n in length
            from values in value.ArrayOf(n)
            from sure in Gen.Choose(0, n - 1)
            from top in Gen.Choose(-160, 160)
            select new Logits([.. values.Select((x, i) => i == sure ? top / 16f : x)]);
        return logits.ToArbitrary();
    }

    public override string ToString() => $"[{string.Join(", ", Values.Select(x => x.ToString(CultureInfo.InvariantCulture)))}]";
}

/// <summary>A number in [0, 1] in steps of a thousandth.</summary>
public sealed record Fraction(double Value)
{
    public static Arbitrary<Fraction> Arbitrary() => Gen.Choose(0, 1000).Select(i => new Fraction(i / 1000.0)).ToArbitrary();
}

/// <summary>A short history over few tokens, so that it repeats itself.</summary>
public sealed record History(int[] Tokens)
{
    public const int Vocabulary = 6;

    public static Arbitrary<History> Arbitrary() =>
        (from n in Gen.Choose(0, 60) from tokens in Gen.Choose(0, Vocabulary - 1).ArrayOf(n) select new History(tokens)).ToArbitrary();

    public override string ToString() => string.Join(' ', Tokens);
}
