// SPDX-License-Identifier: GPL-2.0-or-later
/* QEMU runs with few rights, and a user's device keeps its owner and mode: so it is opened here and
 * passed on (QEMU's add-fd). */
#include "guest/fdset.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fdset_open(const struct disk_plan *p, struct err *e)
{
	struct stat st;
	int fd;

	if (!p->device || !p->image)
		return err_set(e, -EINVAL, "the plan has no block device");
	/* O_DIRECT and the like are set on it by QEMU as its node wants it */
	fd = open(p->image, O_RDWR | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == EBUSY)
		return err_input(e, "%s is in use by now: something has opened it exclusively",
				 p->image);
	if (fd < 0)
		return err_input(e, "%s: %s", p->image, strerror(errno));
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode)) {
		close(fd);
		return err_input(e, "%s is no block device", p->image);
	}
	if (st.st_rdev != p->device_number) {
		close(fd);
		return err_input(e, "%s is another device now than the one that was agreed to",
				 p->image);
	}
	return fd;
}

int fdset_add(struct qmp *q, int fd, uint64_t deadline, struct err *e)
{
	json_t *ret = NULL;
	int rc = qmp_call(q, "add-fd",
			  json_pack("{s:i, s:s}", "fdset-id", FDSET_ID, "opaque", "disk"), fd,
			  deadline, &ret, e);

	json_decref(ret);
	return rc;
}
