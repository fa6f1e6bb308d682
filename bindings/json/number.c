/* JSON numbers: decimal text to the nearest double, and a double to the shortest text that reads
 * back as the same. Nearly all go through exact arithmetic in 128 bits; the rest, with very many
 * digits or far from one, through strtod and snprintf. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"

enum { SIGNIFICANT = 770 }; /* of more digits it only matters whether one is not zero */
enum { ONE = 12, TENS = 35 };

static const double tens[TENS] = {1e-12, 1e-11, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4,
                                  1e-3,  1e-2,  1e-1,  1e0,  1e1,  1e2,  1e3,  1e4,  1e5,
                                  1e6,   1e7,   1e8,   1e9,  1e10, 1e11, 1e12, 1e13, 1e14,
                                  1e15,  1e16,  1e17,  1e18, 1e19, 1e20, 1e21, 1e22};

#ifdef __SIZEOF_INT128__
__extension__ typedef unsigned __int128 wide;

enum { FIVES = 28 };
static const uint64_t fives[FIVES] = {1,
                                      5,
                                      25,
                                      125,
                                      625,
                                      3125,
                                      15625,
                                      78125,
                                      390625,
                                      1953125,
                                      9765625,
                                      48828125,
                                      244140625,
                                      1220703125,
                                      6103515625,
                                      30517578125,
                                      152587890625,
                                      762939453125,
                                      3814697265625,
                                      19073486328125,
                                      95367431640625,
                                      476837158203125,
                                      2384185791015625,
                                      11920928955078125,
                                      59604644775390625,
                                      298023223876953125,
                                      1490116119384765625,
                                      7450580596923828125};
#endif

/* ---- from text ---- */

#ifdef __SIZEOF_INT128__
/* value * 2^exponent, rounded once; with rest the value is a little more. */
static double round_wide(wide value, int rest, int exponent) {
  uint64_t high = (uint64_t)(value >> 64);
  if (high != 0) {
    int shift = 64 - __builtin_clzll(high);
    rest |= (value & (((wide)1 << shift) - 1)) != 0;
    value >>= shift;
    exponent += shift;
  }
  uint64_t bits = (uint64_t)(exponent + 1023) << 52; /* a power of two */
  double power;
  memcpy(&power, &bits, sizeof power);
  return (double)((uint64_t)value | (uint64_t)rest) * power;
}

static double multiply(uint64_t value, int exponent) {
  return round_wide((wide)value * fives[exponent], 0, exponent);
}

/* value / 10^exponent. Both are shifted up, which gives a quotient of 63 or 64 bits. */
static double divide(uint64_t value, int exponent) {
  int up = __builtin_clzll(value), divisor_up = __builtin_clzll(fives[exponent]);
  uint64_t divisor = fives[exponent] << divisor_up;
  wide dividend = (wide)(value << up) << 63;
  uint64_t quotient = (uint64_t)(dividend / divisor);
  int rest = (wide)quotient * divisor != dividend;
  return round_wide(quotient, rest, divisor_up - up - 63 - exponent);
}
#endif

/* Gives strtod the digits without a point, which is another character in other locales. */
static double read_slowly(const lull_decimal *decimal) {
  char text[SIGNIFICANT + 32];
  long long exponent = decimal->exponent;
  int count = 0, rest = 0;
  for (const char *p = decimal->begin; p < decimal->end; p++) {
    if (*p == '.' || (*p == '0' && count == 0)) continue;
    if (count < SIGNIFICANT) {
      text[count++] = *p;
    } else {
      rest |= *p != '0';
      exponent++;
    }
  }
  if (count == 0) return 0;
  if (rest) {
    text[count++] = '1';
    exponent--;
  }
  snprintf(text + count, sizeof text - (size_t)count, "e%lld", exponent);
  return strtod(text, NULL);
}

double lull__json_read_float(const lull_decimal *decimal) {
  uint64_t value = decimal->value;
  if (!decimal->exact || decimal->exponent < -99 || decimal->exponent > 99)
    return read_slowly(decimal);
  int exponent = (int)decimal->exponent;
  if (value == 0) return 0;
  /* Both are doubles, so that there is one rounding. */
  if (value <= (uint64_t)1 << 53 && exponent >= -22 && exponent <= 22)
    return exponent < 0 ? (double)value / tens[ONE - exponent]
                        : (double)value * tens[ONE + exponent];
#ifdef __SIZEOF_INT128__
  if (exponent > -FIVES && exponent < FIVES)
    return exponent < 0 ? divide(value, -exponent) : multiply(value, exponent);
#endif
  return read_slowly(decimal);
}

/* ---- to text ---- */

static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233"
                            "34353637383940414243444546474849505152535455565758596061626364656667"
                            "6869707172737475767778798081828384858687888990919293949596979899";

/* Writes digits so that they end at end; gives where they begin. */
static char *write_digits(char *end, uint64_t value) {
  for (; value >= 100; value /= 100)
    memcpy(end -= 2, pairs + 2 * (value % 100), 2);
  if (value >= 10) return memcpy(end - 2, pairs + 2 * value, 2);
  *--end = (char)('0' + value);
  return end;
}

static char *put(char *out, const char *from, int count) {
  memcpy(out, from, (size_t)count);
  return out + count;
}

static char *put_zeros(char *out, int count) {
  memset(out, '0', (size_t)count);
  return out + count;
}

char *lull__json_write_integer(char *out, lua_Integer number) {
  char digits[24], *end = digits + sizeof digits;
  uint64_t value = (uint64_t)number;
  if (number < 0) {
    *out++ = '-';
    value = 0 - value;
  }
  char *begin = write_digits(end, value);
  return put(out, begin, (int)(end - begin));
}

/* What is written: digits * 10^exponent. */
typedef struct decimal {
  uint64_t digits;
  int exponent;
} decimal;

/* The exponent of ten of the first digit. Only right for what is between the ends of tens. */
static int magnitude(double number) {
  int exponent;
  frexp(number, &exponent);
  int tenth = ((exponent - 1) * 30103 + 100000000) / 100000 - 1000; /* of a power of two below */
  if (tenth < -ONE || tenth + 1 + ONE >= TENS) return tenth;
  return number >= tens[ONE + tenth + 1] ? tenth + 1 : tenth;
}

/* Numbers that have 15 digits or fewer: two doubles whose quotient is the number. */
static int find_few(double number, int tenth, decimal *out) {
  int places = 14 - tenth;
  if (places < 0 || places > 22) return 0;
  double scaled = (double)(uint64_t)(number * tens[ONE + places] + 0.5);
  if (scaled / tens[ONE + places] != number) return 0;
  out->digits = (uint64_t)scaled;
  out->exponent = -places;
  return 1;
}

#ifdef __SIZEOF_INT128__
/* Every text between the points half way to the neighbours reads as the number. All are scaled
 * so that the 17th digit is before the point, and exact: shift is the number of bits after it. */
static int find_many(double number, int tenth, decimal *out) {
  int places = 16 - tenth, exponent;
  if (places < 1 || places >= FIVES) return 0;
  uint64_t mantissa = (uint64_t)(frexp(number, &exponent) * 0x1p53);
  int shift = 54 - exponent - places;
  /* The neighbour below a power of two is nearer than the one above. */
  if (shift < 1 || shift > 63 || mantissa == (uint64_t)1 << 52) return 0;
  wide half = fives[places], middle = (wide)(2 * mantissa) * half, mask = ((wide)1 << shift) - 1;
  int open = mantissa % 2 != 0; /* the points themselves read as the neighbour that is even */
  uint64_t least = (uint64_t)((middle - half + mask + (wide)open) >> shift);
  uint64_t most = (uint64_t)((middle + half - (wide)open) >> shift);
  uint64_t whole = (uint64_t)(middle >> shift);
  wide rest = middle & mask, one = mask + 1;
  out->exponent = -places;
  out->digits = whole + (2 * rest > one || (2 * rest == one && whole % 2 != 0));
  for (uint64_t step = 10;; step *= 10) {
    uint64_t round = (whole + step / 2) / step * step;
    int is_tie = round == whole + step / 2 && rest == 0;
    if (is_tie && round / step % 2 != 0) round -= step; /* to even, as others do */
    if (round < least || round > most) return 1;
    out->digits = round;
  }
}
#endif

static int reads_as(const decimal *number, double expected) {
  char text[48];
  snprintf(text, sizeof text, "%llue%d", (unsigned long long)number->digits, number->exponent);
  return strtod(text, NULL) == expected;
}

/* Rounds to some digits. The point, whatever the locale makes of it, is after the first one. */
static void round_to(int digits, double number, decimal *out) {
  char text[48];
  snprintf(text, sizeof text, "%.*e", digits - 1, number);
  const char *end = strchr(text, 'e');
  out->digits = 0;
  out->exponent = (int)strtol(end + 1, NULL, 10) - (digits - 1);
  for (const char *p = text; p < end; p++)
    if (*p >= '0' && *p <= '9') out->digits = out->digits * 10 + (uint64_t)(*p - '0');
}

/* By trying. Above a power of two there is more room than below: the next number may do as well. */
static void find_slowly(double number, decimal *out) {
  for (int digits = 1; digits < 17; digits++) {
    round_to(digits, number, out);
    if (reads_as(out, number)) return;
    out->digits++;
    if (reads_as(out, number)) return;
  }
  round_to(17, number, out);
}

static void find_shortest(double number, decimal *out) {
  int tenth = magnitude(number);
  if (!find_few(number, tenth, out)) {
#ifdef __SIZEOF_INT128__
    if (!find_many(number, tenth, out))
#endif
      find_slowly(number, out);
  }
  for (; out->digits % 10 == 0; out->digits /= 10)
    out->exponent++;
}

/* As Python lays floats out: with an exponent from 1e16 on and below 1e-4. */
static char *write_decimal(char *out, const decimal *number) {
  char digits[24], *end = digits + sizeof digits, *begin = write_digits(end, number->digits);
  int count = (int)(end - begin), point = count + number->exponent; /* digits before the point */
  if (point < -3 || point > 16) {
    out = put(out, begin, 1);
    if (count > 1) out = put(put(out, ".", 1), begin + 1, count - 1);
    return lull__json_write_integer(put(out, "e", 1), point - 1);
  }
  if (point <= 0) return put(put_zeros(put(out, "0.", 2), -point), begin, count);
  if (count <= point) return put(put_zeros(put(out, begin, count), point - count), ".0", 2);
  out = put(put(out, begin, point), ".", 1);
  return put(out, begin + point, count - point);
}

char *lull__json_write_float(char *out, double number) {
  if (signbit(number)) {
    *out++ = '-';
    number = -number;
  }
  if (number < 1e16 && number == (double)(uint64_t)number)
    return put(lull__json_write_integer(out, (lua_Integer)number), ".0", 2);
  decimal shortest;
  find_shortest(number, &shortest);
  return write_decimal(out, &shortest);
}
