/* For the thread sanitizer only. It does not know the checked longjmp by which Debian's Lua yields
 * and raises errors: its record of the calls that are under way would grow with each, until it is
 * full after some 65,000. The one it knows does the same. */
#ifdef __SANITIZE_THREAD__
#include <setjmp.h>

__attribute__((visibility("default"), noreturn)) void __longjmp_chk(struct __jmp_buf_tag *env,
                                                                    int value);

void __longjmp_chk(struct __jmp_buf_tag *env, int value) {
  longjmp(env, value);
}
#endif
