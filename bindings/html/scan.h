/* Finding the tags of a document. */
#ifndef LULL_HTML_SCAN_H
#define LULL_HTML_SCAN_H

#include "html.h"

typedef struct html_scan {
  const char *at, *end;
} html_scan;

typedef struct html_tag {
  const char *from; /* its '<' */
  html_string name;
  int is_end;
} html_tag;

/* Goes past the name of the next tag; gives 0 if there is none. There is CDATA only in foreign
 * elements, those of SVG and MathML. */
int html_scan_tag(html_scan *scan, html_tag *tag, int is_foreign);

/* Goes past the rest of the tag. `*left` attributes may still come, which it counts down; gives
 * where the first that is too many begins, or NULL. */
const char *html_scan_attributes(html_scan *scan, unsigned *left);

/* Goes to the end tag of an element that holds nothing but text. */
void html_scan_text(html_scan *scan, html_string name);

#endif
