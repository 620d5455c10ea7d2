using System.Globalization;
using System.Numerics;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Arithmetic as Python has it: whole numbers of any length, division that rounds down, true as one.</summary>
internal static class Numbers
{
    /// <summary>A whole number as a value.</summary>
    public static object Whole(BigInteger value) => value >= long.MinValue && value <= long.MaxValue ? (object)(long)value : value;

    /// <summary>Whether a value is a whole number, which true and false are too.</summary>
    public static bool IsWhole(object value) => value is long or bool or BigInteger;

    /// <summary>Whether a value is a number.</summary>
    public static bool IsNumber(object value) => value is double || IsWhole(value);

    /// <summary>A whole number's value.</summary>
    public static BigInteger Big(object value) => value switch
    {
        long number => number,
        bool truth => truth ? 1 : 0,
        _ => (BigInteger)value,
    };

    /// <summary>A number's value as a float.</summary>
    public static double Float(object value)
    {
        if (value is double number)
            return number;
        double converted = (double)Big(value);
        return double.IsFinite(converted) ? converted : throw new TemplateFailure("int too large to convert to float");
    }

    /// <summary>A number that a place or a count is given by; one that is too large is the largest.</summary>
    public static long Index(object value, string what)
    {
        if (!IsWhole(value))
            throw new TemplateFailure($"{what} must be integers or have an __index__ method, not {TemplateText.TypeOf(value)}");
        BigInteger big = Big(value);
        return (long)BigInteger.Max(-int.MaxValue, BigInteger.Min(int.MaxValue, big));
    }

    /// <summary>The result of an operator on two numbers.</summary>
    public static object Compute(string sign, object left, object right, int bits)
    {
        if (IsWhole(left) && IsWhole(right))
            return ComputeWhole(sign, left, right, bits);
        double a = Float(left), b = Float(right);
        switch (sign)
        {
            case "+":
                return a + b;
            case "-":
                return a - b;
            case "*":
                return a * b;
            case "**":
                if (a == 0 && b < 0)
                    throw new TemplateFailure("0.0 cannot be raised to a negative power");
                double power = Math.Pow(a, b);
                if (double.IsNaN(power) && !double.IsNaN(a) && !double.IsNaN(b))
                    throw new TemplateFailure("a negative number to a broken power is a complex number, which templates do not have");
                return double.IsInfinity(power) && double.IsFinite(a) && double.IsFinite(b)
                    ? throw new TemplateFailure("(34, 'Numerical result out of range')") : power;
            case "/":
                return b == 0 ? throw new TemplateFailure("float division by zero") : a / b;
            case "//":
                return b == 0 ? throw new TemplateFailure("float floor division by zero") : FloorDivide(a, b);
            default:
                return b == 0 ? throw new TemplateFailure("float modulo") : Modulo(a, b);
        }
    }

    private static object ComputeWhole(string sign, object left, object right, int bits)
    {
        if (left is long && right is long && sign is "+" or "-" or "*")
        {
            Int128 exact = sign == "+" ? (Int128)(long)left + (long)right
                : sign == "-" ? (Int128)(long)left - (long)right : (Int128)(long)left * (long)right;
            return exact >= long.MinValue && exact <= long.MaxValue ? (long)exact : (object)(BigInteger)exact;
        }

        BigInteger x = Big(left), y = Big(right);
        switch (sign)
        {
            case "+":
                return Limited(x + y, bits);
            case "-":
                return Limited(x - y, bits);
            case "*":
                return Limited(x * y, bits);
            case "**":
                return Power(x, y, bits);
            case "/":
                return y.IsZero ? throw new TemplateFailure("division by zero") : Divide(x, y);
            case "//":
                if (y.IsZero)
                    throw new TemplateFailure("integer division or modulo by zero");
                return Whole(FloorDivide(x, y));
            default:
                if (y.IsZero)
                    throw new TemplateFailure("integer modulo by zero");
                return Whole(x - (FloorDivide(x, y) * y));
        }
    }

    private static object Power(BigInteger x, BigInteger y, int bits)
    {
        if (y < 0)
        {
            return x.IsZero ? throw new TemplateFailure("0.0 cannot be raised to a negative power")
                : Math.Pow(Float(Whole(x)), Float(Whole(y)));
        }

        if (!(x.IsZero || BigInteger.Abs(x).IsOne) && (y > bits || x.GetBitLength() * (long)y > bits * 2L))
            throw TooLarge(bits);
        return Limited(BigInteger.Abs(x).IsOne || x.IsZero ? (y.IsZero ? 1 : y.IsEven ? x * x : x) : BigInteger.Pow(x, (int)y), bits);
    }

    private static object Limited(BigInteger value, int bits) => value.GetBitLength() > bits ? throw TooLarge(bits) : Whole(value);

    private static TemplateFailure TooLarge(int bits) => new($"a whole number has more than {bits} bits");

    private static object Divide(BigInteger x, BigInteger y)
    {
        const long Exact = 1L << 53;
        return BigInteger.Abs(x) <= Exact && BigInteger.Abs(y) <= Exact ? (double)x / (double)y : Float(Whole(x)) / Float(Whole(y));
    }

    private static BigInteger FloorDivide(BigInteger x, BigInteger y)
    {
        BigInteger quotient = BigInteger.DivRem(x, y, out BigInteger rest);
        return !rest.IsZero && rest.Sign != y.Sign ? quotient - 1 : quotient;
    }

    private static double Modulo(double a, double b)
    {
        double rest = a % b;
        if (rest == 0)
            return Math.CopySign(0.0, b);
        return (rest < 0) != (b < 0) ? rest + b : rest;
    }

    private static double FloorDivide(double a, double b)
    {
        double quotient = (a - Modulo(a, b)) / b;
        if (quotient == 0)
            return Math.CopySign(0.0, a / b);
        double floor = Math.Floor(quotient);
        return quotient - floor > 0.5 ? floor + 1 : floor;
    }

    /// <summary>A float as Python prints it: the shortest digits that read back the same; powers of ten from 1e16 and below 1e-4.</summary>
    public static string Print(double value)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        if (value == 0)
            return double.IsNegative(value) ? "-0.0" : "0.0";
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        string sign = value < 0 ? "-" : "";
        (string digits, int point) = Digits(shortest.TrimStart('-'));
        if (point is <= -4 or > 16)
        {
            string exponent = Math.Abs(point - 1).ToString("00", CultureInfo.InvariantCulture);
            string rest = digits.Length > 1 ? "." + digits[1..] : "";
            return $"{sign}{digits[0]}{rest}e{(point < 1 ? '-' : '+')}{exponent}";
        }

        return sign + (point <= 0 ? "0." + new string('0', -point) + digits
            : digits.Length > point ? digits[..point] + "." + digits[point..] : digits.PadRight(point, '0') + ".0");
    }

    /// <summary>Significant digits of a printed number, and how many of them stand before the point.</summary>
    private static (string Digits, int Point) Digits(string printed)
    {
        int exponentAt = printed.IndexOf('E', StringComparison.Ordinal);
        int exponent = exponentAt < 0 ? 0
            : int.Parse(printed.AsSpan(exponentAt + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        string mantissa = exponentAt < 0 ? printed : printed[..exponentAt];
        int pointAt = mantissa.IndexOf('.', StringComparison.Ordinal);
        int point = (pointAt < 0 ? mantissa.Length : pointAt) + exponent;
        string digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        int zeros = digits.Length - digits.TrimStart('0').Length;
        return (digits.Trim('0'), point - zeros);
    }

    /// <summary>A float rounded to so many digits behind the point, halves to the even one, by its exact value.</summary>
    public static double Round(double value, int digits)
    {
        if (!double.IsFinite(value) || value == 0 || digits > 330)
            return value;
        if (digits < -310)
            return Math.CopySign(0.0, value);
        (BigInteger numerator, BigInteger denominator) = Fraction(Math.Abs(value));
        BigInteger scale = BigInteger.Pow(10, Math.Abs(digits));
        if (digits >= 0)
            numerator *= scale;
        else
            denominator *= scale;
        BigInteger rounded = RoundHalfEven(numerator, denominator);
        string text = $"{rounded.ToString(CultureInfo.InvariantCulture)}e{(-digits).ToString(CultureInfo.InvariantCulture)}";
        return Math.CopySign(double.Parse(text, CultureInfo.InvariantCulture), value);
    }

    /// <summary>A number rounded to so many digits, which are then shown even where they are zeros, as %.2f does.</summary>
    public static string Fixed(double value, int digits)
    {
        if (!double.IsFinite(value))
            return Print(value);
        (BigInteger numerator, BigInteger denominator) = Fraction(Math.Abs(value));
        string all = RoundHalfEven(numerator * BigInteger.Pow(10, digits), denominator).ToString(CultureInfo.InvariantCulture)
            .PadLeft(digits + 1, '0');
        string sign = double.IsNegative(value) ? "-" : "";
        return digits == 0 ? sign + all : $"{sign}{all[..^digits]}.{all[^digits..]}";
    }

    private static (BigInteger Numerator, BigInteger Denominator) Fraction(double value)
    {
        long bits = BitConverter.DoubleToInt64Bits(value);
        int exponent = (int)((bits >> 52) & 0x7FF);
        long mantissa = bits & ((1L << 52) - 1);
        if (exponent == 0)
            exponent = 1;
        else
            mantissa |= 1L << 52;
        int power = exponent - 1075;
        return power >= 0 ? (new BigInteger(mantissa) << power, 1) : (mantissa, BigInteger.One << -power);
    }

    private static BigInteger RoundHalfEven(BigInteger numerator, BigInteger denominator)
    {
        BigInteger quotient = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        int half = (rest * 2).CompareTo(denominator);
        return half > 0 || (half == 0 && !quotient.IsEven) ? quotient + 1 : quotient;
    }
}
