/* The CUDA driver, looked for at start instead of demanded by the loader: linked in libcuda's place (as libcuda.a), so that
 * the program starts on a machine without an NVIDIA driver, and says so when a GPU is asked for.
 *
 * `driver_functions.h` is made by scripts/cuda.sh: one line `FUNCTION(cuInit)` for every function that cudarc declares. Each
 * becomes a jump through a pointer, which is right for any signature. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* CUresult: NVIDIA's own stand-in for the driver returns the first. */
enum { SUCCESS = 0, STUB_LIBRARY = 34, NOT_FOUND = 500 };

static char reason[256] = "no NVIDIA driver";

static int no_driver(void) { return STUB_LIBRARY; }
static int too_old(void) { return NOT_FOUND; }

static int why(int error, const char **text) {
    (void)error;
    *text = reason;
    return SUCCESS;
}

#if defined(__x86_64__)
#define JUMP(name) "endbr64\n\tjmp *driver_" #name "(%rip)\n"
#elif defined(__aarch64__)
#define JUMP(name) "adrp x16, driver_" #name "\n\tldr x16, [x16, :lo12:driver_" #name "]\n\tbr x16\n"
#else
#error "no jump for this processor here; write one"
#endif

#define FUNCTION(name)                                                                                                \
    __attribute__((used)) static void *driver_##name = (void *)no_driver;                                            \
    __asm__(".pushsection .text." #name ",\"ax\",%progbits\n\t.globl " #name "\n\t.type " #name ",%function\n" #name  \
            ":\n\t" JUMP(name) "\t.size " #name ", .-" #name "\n\t.popsection");
#include "driver_functions.h"
#undef FUNCTION

#define FUNCTION(name) {#name, &driver_##name},
static const struct {
    const char *name;
    void **to;
} functions[] = {
#include "driver_functions.h"
};
#undef FUNCTION

__attribute__((constructor)) static void find_driver(void) {
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
    const char *error = driver ? NULL : dlerror();
    if (error)
        snprintf(reason, sizeof reason, "no NVIDIA driver: %s", error);
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const char *name = functions[i].name;
        if (driver) {
            void *found = dlsym(driver, name);
            *functions[i].to = found ? found : (void *)too_old;
        } else if (!strcmp(name, "cuGetErrorName") || !strcmp(name, "cuGetErrorString")) {
            *functions[i].to = (void *)why;
        }
    }
}
