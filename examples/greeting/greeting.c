#include <stdio.h>

int main(void) {
    puts("Hello from ghcr-publish " VERSION ".");
    return 0;
}
