using Harness.Sharding.Links;

namespace Harness.Tests.Sharding;

public class Bf16WireTests
{
    [Test]
    public void EveryBfloat16SurvivesTheWayThroughFloat32()
    {
        var all = Enumerable.Range(0, 65536).Select(i => (ushort)i).ToArray();
        var values = new float[all.Length];
        Bf16Wire.Decode(all, values);
        for (var i = 0; i < all.Length; i++)
            Assert.That(BitConverter.SingleToUInt32Bits(values[i]), Is.EqualTo((uint)i << 16));
        var back = new ushort[all.Length];
        Bf16Wire.Encode(values, back);
        for (var i = 0; i < all.Length; i++)
            Assert.That(back[i], Is.EqualTo(float.IsNaN(values[i]) ? 0x7fc0 : i));
    }

    // 8 bits of significand: the spacing above 1 is 2^-7.
    [TestCase(1 + 1.0 / 256, 1)]                      // a tie goes to the even neighbour, below
    [TestCase(1 + 3.0 / 256, 1 + 4.0 / 256)]          // and above
    [TestCase(1 + 1.0 / 256 + 1e-6, 1 + 2.0 / 256)]   // just over a tie goes up
    [TestCase(-(1 + 3.0 / 256), -(1 + 4.0 / 256))]
    [TestCase(3.39e38, 3.3895313892515355e38)]        // the largest bfloat16
    [TestCase(3.4028234e38, double.PositiveInfinity)] // rounds beyond it
    [TestCase(double.NegativeInfinity, double.NegativeInfinity)]
    [TestCase(double.NaN, double.NaN)]
    [TestCase(-0.0, -0.0)]
    [TestCase(1e-40, 9.183549615799121e-41)]          // subnormal: 1.09 · 2^-133 becomes 2^-133
    public void RoundsToNearestTiesToEven(double value, double expected)
    {
        // Long enough for the vector path and a rest.
        for (var length = 1; length <= 37; length += 36)
        {
            var source = Enumerable.Repeat((float)value, length).ToArray();
            var wire = new ushort[length];
            var back = new float[length];
            Bf16Wire.Encode(source, wire);
            Bf16Wire.Decode(wire, back);
            Assert.That(back, Is.All.EqualTo((float)expected));
        }
    }

    [Test]
    public void AccumulatesInFloat32()
    {
        var sum = Enumerable.Range(0, 37).Select(i => 1000f + i).ToArray();
        var wire = new ushort[37];
        Bf16Wire.Encode(Enumerable.Repeat(0.125f, 37).ToArray(), wire);
        Bf16Wire.Accumulate(wire, sum);
        Assert.That(sum, Is.EqualTo(Enumerable.Range(0, 37).Select(i => 1000.125f + i)));
    }
}
