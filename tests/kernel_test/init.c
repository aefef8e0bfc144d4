/* The first program of the guest: loads /test.ko, says how that went, and turns the machine off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
	const int file = open("/test.ko", O_RDONLY);
	const int error = syscall(SYS_finit_module, file, "", 0) ? errno : 0;

	printf("LOADED %d\n", error);
	fflush(stdout);
	sleep(1);
	return reboot(RB_POWER_OFF);
}
