/* The words of CSS selectors: names with escapes, strings, numbers; and the error of a bad one. */
#include <stdlib.h>
#include <string.h>

#include "selector.h"

enum { QUOTED = 100 }; /* more of a selector is not put into a message */

/* Appends text for a message: what cannot be printed becomes '?'. */
static void add_printable(luaL_Buffer *buffer, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < ' ' || c == 0x7F) c = '?';
    luaL_addchar(buffer, (char)c);
  }
}

void html_css_fail(const html_css *css, const char *at, const char *message) {
  luaL_Buffer buffer;
  luaL_buffinit(css->L, &buffer);
  luaL_addstring(&buffer, "bad selector \"");
  if (css->text.size > QUOTED) {
    add_printable(&buffer, css->text.data, QUOTED);
    luaL_addstring(&buffer, "...");
  } else {
    add_printable(&buffer, css->text.data, css->text.size);
  }
  luaL_addstring(&buffer, "\" at character ");
  lua_pushinteger(css->L, at - css->text.data + 1);
  luaL_addvalue(&buffer);
  luaL_addstring(&buffer, ": ");
  luaL_addstring(&buffer, message);
  luaL_pushresult(&buffer);
  luaL_argerror(css->L, css->index, lua_tostring(css->L, -1));
  abort();
}

char html_css_peek(const html_css *css) {
  if (css->at == css->end) return '\0';
  return *css->at;
}

int html_css_accept(html_css *css, char c) {
  if (css->at == css->end || *css->at != c) return 0;
  css->at++;
  return 1;
}

int html_css_skip_space(html_css *css) {
  const char *from = css->at;
  while (css->at < css->end && html_is_space(*css->at))
    css->at++;
  return css->at > from;
}

void html_css_expect(html_css *css, char c) {
  if (html_css_accept(css, c)) return;
  lua_pushfstring(css->L, "'%c' expected", c);
  html_css_fail(css, css->at, lua_tostring(css->L, -1));
}

/* ---- names ---- */

static int is_digit(char c) {
  return c >= '0' && c <= '9';
}

static int is_name_start(char c) {
  return (html_lower(c) >= 'a' && html_lower(c) <= 'z') || c == '_' || (c & 0x80);
}

static int is_name_char(char c) {
  return is_name_start(c) || is_digit(c) || c == '-';
}

int html_css_is_name(const html_css *css) {
  const char *p = css->at;
  if (p < css->end && *p == '-') p++;
  return p < css->end && (is_name_start(*p) || *p == '\\' || (*p == '-' && p > css->at));
}

static int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c = html_lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends a character to the name that is being read. */
static void add_character(html_css *css, uint32_t c) {
  if (c == 0 || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = 0xFFFD;
  if (c < 0x80) {
    *css->names++ = (char)c;
    return;
  }
  int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
  *css->names++ = (char)(leads[more] | (c >> (6 * more)));
  for (int i = more - 1; i >= 0; i--)
    *css->names++ = (char)(0x80 | (c >> (6 * i) & 0x3F));
}

/* Reads what follows a backslash: up to six hexadecimal digits, with a space if need be, or any
 * other character. */
static void read_escape(html_css *css) {
  if (css->at == css->end || *css->at == '\n')
    html_css_fail(css, css->at, "a character expected after '\\'");
  uint32_t c = 0;
  int digits = 0;
  for (; digits < 6 && css->at < css->end && hex_digit(*css->at) >= 0; digits++, css->at++)
    c = c * 16 + (uint32_t)hex_digit(*css->at);
  if (digits == 0) {
    *css->names++ = *css->at++;
    return;
  }
  add_character(css, c);
  if (css->at < css->end && html_is_space(*css->at)) css->at++;
}

static html_string read_name(html_css *css) {
  html_string name = {css->names, 0};
  while (css->at < css->end && (is_name_char(*css->at) || *css->at == '\\')) {
    char c = *css->at++;
    if (c == '\\')
      read_escape(css);
    else
      *css->names++ = c;
  }
  name.size = (size_t)(css->names - name.data);
  return name;
}

html_string html_css_name(html_css *css) {
  if (!html_css_is_name(css)) html_css_fail(css, css->at, "a name expected");
  return read_name(css);
}

int html_css_accept_word(html_css *css, const char *word) {
  size_t size = strlen(word);
  const char *after = css->at + size;
  if ((size_t)(css->end - css->at) < size || !html_equal_fold(css->at, word, size)) return 0;
  if (after < css->end && (is_name_char(*after) || *after == '\\')) return 0;
  css->at = after;
  return 1;
}

html_string html_css_string(html_css *css) {
  const char *from = css->at;
  char quote = *css->at++;
  html_string string = {css->names, 0};
  for (;;) {
    if (css->at == css->end || *css->at == '\n') html_css_fail(css, from, "unfinished string");
    char c = *css->at++;
    if (c == quote) break;
    if (c != '\\')
      *css->names++ = c;
    else if (css->at < css->end && *css->at == '\n')
      css->at++; /* the string goes on in the next line */
    else
      read_escape(css);
  }
  string.size = (size_t)(css->names - string.data);
  return string;
}

/* ---- an+b ---- */

static int is_at_digit(const html_css *css) {
  return css->at < css->end && is_digit(*css->at);
}

static int32_t read_digits(html_css *css) {
  int32_t number = 0;
  for (; is_at_digit(css); css->at++)
    if (number < 100000000) number = number * 10 + (*css->at - '0');
  return number;
}

static int32_t read_sign(html_css *css) {
  if (html_css_accept(css, '-')) return -1;
  return html_css_accept(css, '+') ? 1 : 0;
}

static int32_t read_number(html_css *css, const char *from) {
  if (!is_at_digit(css)) html_css_fail(css, from, "odd, even or an+b expected");
  return read_digits(css);
}

void html_css_nth(html_css *css, int32_t *step, int32_t *offset) {
  const char *from = css->at;
  *step = 2;
  *offset = 0;
  if (html_css_accept_word(css, "even")) return;
  *offset = 1;
  if (html_css_accept_word(css, "odd")) return;
  int32_t sign = read_sign(css);
  int32_t number = html_lower(html_css_peek(css)) == 'n' ? 1 : read_number(css, from);
  if (sign < 0) number = -number;
  if (html_lower(html_css_peek(css)) != 'n') {
    *step = 0;
    *offset = number;
    return;
  }
  css->at++;
  *step = number;
  *offset = 0;
  html_css_skip_space(css);
  sign = read_sign(css);
  if (sign == 0) return;
  html_css_skip_space(css);
  *offset = sign * read_number(css, from);
}
