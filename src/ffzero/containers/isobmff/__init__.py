"""MP4, MOV and fragmented MP4 (ISO/IEC 14496-12, 14496-14, 14496-15; Apple QTFF): reading indexes, writing headers."""
