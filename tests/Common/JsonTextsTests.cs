using System.Text;
using System.Text.Json;
using Harness.Common;

namespace Harness.Tests.Common;

[TestFixture]
public sealed class JsonTextsTests
{
    [TestCase("""{"a": "b"}""")]
    [TestCase("""{"\ud83d\ude00": "\ud83d\ude00"}""", Description = "a pair")]
    [TestCase("""{"a": "\\ud800"}""", Description = "a backslash and letters")]
    public void Texts(string json) => Assert.That(() => JsonTexts.Check(Encoding.UTF8.GetBytes(json)), Throws.Nothing);

    [TestCase("{\n\"a\": \"\\ud800\"}")]
    [TestCase("{\n\"\\udc00\\ud800\": 1}")]
    public void HalfAPairIsNone(string json) => Assert.That(() => JsonTexts.Check(Encoding.UTF8.GetBytes(json)),
        Throws.InstanceOf<JsonException>().With.Message.EqualTo("a text in line 2 is not valid Unicode"));

    /// <summary>Bytes that no UTF-8 has (RFC 3629): a lone FF, a second byte that is none, a surrogate.</summary>
    [TestCase(new byte[] { 0xFF })]
    [TestCase(new byte[] { 0xC3, 0x28 })]
    [TestCase(new byte[] { 0xED, 0xA0, 0x80 })]
    public void BrokenUtf8IsNone(byte[] bytes) => Assert.That(() => JsonTexts.Check([.. "{\n\"a\": \""u8, .. bytes, .. "\"}"u8]),
        Throws.InstanceOf<JsonException>().With.Message.EqualTo("a text in line 2 is not valid Unicode"));
}
