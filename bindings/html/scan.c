/* Finds the tags of a document, roughly as a tokenizer does: past comments, declarations and
 * attributes. What splits documents needs no more. */
#include <string.h>

#include "scan.h"

static int is_at_end(const html_scan *s) {
  return s->at == s->end;
}

static void skip_spaces(html_scan *s) {
  while (!is_at_end(s) && html_is_space(*s->at))
    s->at++;
}

static void skip_past(html_scan *s, const char *ending) {
  size_t size = strlen(ending);
  const char *found = memmem(s->at, (size_t)(s->end - s->at), ending, size);
  s->at = found ? found + size : s->end;
}

static int follows(const html_scan *s, const char *text) {
  size_t size = strlen(text);
  return (size_t)(s->end - s->at) >= size && memcmp(s->at, text, size) == 0;
}

/* ---- what is no tag ---- */

/* Skips a comment, a doctype, CDATA, or what is read as a comment. */
static void skip_declaration(html_scan *s, int is_foreign) {
  const char *ending = ">";
  if (is_foreign && follows(s, "<![CDATA[")) {
    ending = "]]>";
  } else if (follows(s, "<!--") && !follows(s, "<!-->") && !follows(s, "<!--->")) {
    s->at += 4;
    ending = "-->";
  }
  skip_past(s, ending);
}

static int is_letter(char c) {
  c = html_lower(c);
  return c >= 'a' && c <= 'z';
}

/* ---- tags ---- */

static void read_name(html_scan *s, html_tag *tag) {
  tag->name.data = s->at;
  while (!is_at_end(s) && !html_is_space(*s->at) && *s->at != '/' && *s->at != '>')
    s->at++;
  tag->name.size = (size_t)(s->at - tag->name.data);
}

int html_scan_tag(html_scan *s, html_tag *tag, int is_foreign) {
  while (!is_at_end(s)) {
    const char *from = memchr(s->at, '<', (size_t)(s->end - s->at));
    if (from == NULL) break;
    size_t left = (size_t)(s->end - from);
    tag->from = s->at = from;
    tag->is_end = left > 2 && from[1] == '/';
    if (left > 1 && is_letter(from[1 + tag->is_end])) {
      s->at += 1 + tag->is_end;
      read_name(s, tag);
      return 1;
    }
    if (left > 1 && strchr("!?/", from[1]) && from[1] != '\0')
      skip_declaration(s, is_foreign);
    else
      s->at++;
  }
  s->at = s->end;
  return 0;
}

static void skip_value(html_scan *s) {
  if (is_at_end(s)) return;
  char quote = *s->at;
  if (quote == '"' || quote == '\'') {
    const char *found = memchr(s->at + 1, quote, (size_t)(s->end - s->at - 1));
    s->at = found ? found + 1 : s->end;
    return;
  }
  while (!is_at_end(s) && !html_is_space(*s->at) && *s->at != '>')
    s->at++;
}

static int ends_name(char c) {
  return html_is_space(c) || c == '/' || c == '>' || c == '=';
}

static void skip_attribute(html_scan *s) {
  s->at++; /* even if it is '=' */
  while (!is_at_end(s) && !ends_name(*s->at))
    s->at++;
  skip_spaces(s);
  if (is_at_end(s) || *s->at != '=') return;
  s->at++;
  skip_spaces(s);
  skip_value(s);
}

static void skip_between(html_scan *s) {
  while (!is_at_end(s) && (html_is_space(*s->at) || *s->at == '/'))
    s->at++;
}

const char *html_scan_attributes(html_scan *s, unsigned *left) {
  const char *excess = NULL;
  for (skip_between(s); !is_at_end(s) && *s->at != '>'; skip_between(s)) {
    if (*left > 0)
      --*left;
    else if (excess == NULL)
      excess = s->at;
    skip_attribute(s);
  }
  if (!is_at_end(s)) s->at++;
  return excess;
}

void html_scan_text(html_scan *s, html_string name) {
  while (!is_at_end(s)) {
    const char *found = memmem(s->at, (size_t)(s->end - s->at), "</", 2);
    if (found == NULL) break;
    s->at = found + 2;
    size_t left = (size_t)(s->end - s->at);
    if (left <= name.size || !html_equal_fold(s->at, name.data, name.size)) continue;
    char after = s->at[name.size];
    if (after == '=' || !ends_name(after)) continue;
    s->at = found;
    return;
  }
  s->at = s->end;
}
