/*
 * System calls: X(number, name, arguments). Names that begin with Nt are those of Windows NT's native interface, with its
 * arguments and status codes (numbers are our own); names that begin with Bs are Backstore's own (abi/backstore.h).
 * Convention: rax = number, arguments in r10, rdx, r8, r9, then [rsp + 0x28], [rsp + 0x30], ...; status in rax;
 * rcx and r11 are lost.
 */
#ifndef ABI_SYSCALLS_H
#define ABI_SYSCALLS_H

#define SYSCALL_ARGUMENTS_MAX 14

#define SYSCALLS(X)                                                                                                    \
	X(0, BsNull, 0)                                                                                                \
	/* objects */                                                                                                  \
	X(1, NtClose, 1)                                                                                               \
	X(2, NtDuplicateObject, 7)                                                                                     \
	X(3, NtWaitForSingleObject, 3)                                                                                 \
	X(4, NtWaitForMultipleObjects, 5)                                                                              \
	X(5, NtCreateEvent, 5)                                                                                         \
	X(6, NtOpenEvent, 3)                                                                                           \
	X(7, NtSetEvent, 2)                                                                                            \
	X(8, NtResetEvent, 2)                                                                                          \
	X(9, NtSetInformationObject, 4)                                                                                \
	/* processes and threads */                                                                                    \
	X(16, BsCreateProcess, 3)                                                                                      \
	X(17, NtOpenProcess, 4)                                                                                        \
	X(18, NtTerminateProcess, 2)                                                                                   \
	X(19, NtQueryInformationProcess, 5)                                                                            \
	X(20, NtSetInformationProcess, 4)                                                                              \
	X(21, NtCreateThreadEx, 11)                                                                                    \
	X(22, NtTerminateThread, 2)                                                                                    \
	X(23, NtQueryInformationThread, 5)                                                                             \
	X(24, NtDelayExecution, 2)                                                                                     \
	X(25, NtYieldExecution, 0)                                                                                     \
	X(26, NtRaiseException, 3)                                                                                     \
	X(27, NtContinue, 2)                                                                                           \
	X(28, NtResumeThread, 2)                                                                                       \
	X(29, BsQueryProcess, 2)                                                                                       \
	X(30, BsCloneProcess, 4)                                                                                       \
	/* time and the system */                                                                                      \
	X(32, NtQueryPerformanceCounter, 2)                                                                            \
	X(33, NtQuerySystemTime, 1)                                                                                    \
	X(34, NtQuerySystemInformation, 4)                                                                             \
	X(35, NtShutdownSystem, 1)                                                                                     \
	X(36, BsQueryOption, 3)                                                                                        \
	/* files */                                                                                                    \
	X(48, NtCreateFile, 11)                                                                                        \
	X(49, NtOpenFile, 6)                                                                                           \
	X(50, NtReadFile, 9)                                                                                           \
	X(51, NtWriteFile, 9)                                                                                          \
	X(52, NtQueryInformationFile, 5)                                                                               \
	X(53, NtSetInformationFile, 5)                                                                                 \
	X(54, NtQueryVolumeInformationFile, 5)                                                                         \
	X(55, NtQueryDirectoryFile, 11)                                                                                \
	X(56, NtQueryAttributesFile, 2)                                                                                \
	X(57, NtFlushBuffersFile, 2)                                                                                   \
	X(58, NtLockFile, 10)                                                                                          \
	X(59, NtUnlockFile, 5)                                                                                         \
	X(60, NtQueryFullAttributesFile, 2)                                                                            \
	X(61, NtCreateNamedPipeFile, 14)                                                                               \
	X(62, NtFsControlFile, 10)                                                                                     \
	/* memory */                                                                                                   \
	X(64, NtAllocateVirtualMemory, 6)                                                                              \
	X(65, NtFreeVirtualMemory, 4)                                                                                  \
	X(66, NtProtectVirtualMemory, 5)                                                                               \
	X(67, NtQueryVirtualMemory, 6)                                                                                 \
	X(68, NtReadVirtualMemory, 5)                                                                                  \
	X(69, NtWriteVirtualMemory, 5)                                                                                 \
	X(70, NtCreateSection, 7)                                                                                      \
	X(71, NtOpenSection, 3)                                                                                        \
	X(72, NtMapViewOfSection, 10)                                                                                  \
	X(73, NtUnmapViewOfSection, 2)                                                                                 \
	X(74, NtQuerySection, 5)                                                                                       \
	X(75, BsQueryBacking, 4)                                                                                       \
	X(76, BsQueryMemory, 1)                                                                                        \
	X(77, BsQueryPagingFile, 2)                                                                                    \
	X(78, BsCheckMemory, 0)                                                                                        \
	X(79, NtAllocateVirtualMemoryEx, 7)                                                                            \
	X(80, NtMapViewOfSectionEx, 9)                                                                                 \
	X(81, NtUnmapViewOfSectionEx, 3)                                                                               \
	X(82, NtExtendSection, 2)                                                                                      \
	X(83, NtLockVirtualMemory, 4)                                                                                  \
	X(84, NtUnlockVirtualMemory, 4)                                                                                \
	X(85, NtGetWriteWatch, 7)                                                                                      \
	X(86, NtResetWriteWatch, 3)                                                                                    \
	X(87, NtAllocateUserPhysicalPages, 3)                                                                          \
	X(88, NtFreeUserPhysicalPages, 3)                                                                              \
	X(89, NtMapUserPhysicalPages, 3)                                                                               \
	X(90, NtMapUserPhysicalPagesScatter, 3)                                                                        \
	X(91, NtFlushVirtualMemory, 4)                                                                                 \
	X(92, NtSetInformationVirtualMemory, 6)                                                                        \
	X(93, NtAreMappedFilesTheSame, 2)                                                                              \
	X(94, BsOfferVirtualMemory, 4)                                                                                 \
	X(95, BsReclaimVirtualMemory, 3)                                                                               \
	X(96, BsQueryFrames, 3)                                                                                        \
	X(97, BsAddPagingFile, 3)                                                                                      \
	X(98, BsRemovePagingFile, 3)                                                                                   \
	X(99, BsSetReclaim, 2)                                                                                         \
	X(100, NtSetInformationThread, 4)                                                                              \
	X(101, NtSetSystemInformation, 3)                                                                              \
	X(102, BsTraceOpen, 4)                                                                                         \
	X(103, BsTraceRead, 6)                                                                                         \
	X(104, BsMapKnownDll, 2)

#define SYSCALL_NUMBER_MAX 105

#endif
